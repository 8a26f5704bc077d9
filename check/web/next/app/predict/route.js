// Fjord on the server.
import * as tf from 'fjord';
import {train} from '../train.js';

export const dynamic = 'force-dynamic';
export async function GET() {
  return Response.json(await train(tf).catch((error) => ({error: String(error)})));
}
