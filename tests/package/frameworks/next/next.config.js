export default {
  output: process.env.STANDALONE === "1" ? "standalone" : undefined,
  // the package is part of the server's bundle unless the test asks for it in node_modules
  serverExternalPackages: process.env.EXTERNAL === "1" ? ["omise-linked-accounts"] : [],
};
