// jsdom, and what it lacks of a browser.

const FixedJSDOMEnvironment = require("jest-fixed-jsdom");

module.exports = class extends FixedJSDOMEnvironment {
  constructor(...options) {
    super(...options);
    this.global.DecompressionStream = DecompressionStream;
  }
};
