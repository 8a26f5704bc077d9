// Nothing is needed, but by webpack for programs that compute on the server.
export default process.env.FJORD_EXTERNAL ? {serverExternalPackages: ['fjord']} : {};
