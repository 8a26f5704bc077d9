// Rendered on the server, with the import; trained in the browser.
import * as tf from 'fjord';
import Trainer from './trainer.jsx';

export default function Page() {
  return (
    <>
      <p>Fjord {tf.version.fjord}</p>
      <Trainer />
    </>
  );
}
