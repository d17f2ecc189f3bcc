/** @jest-environment jest-fixed-jsdom */

const { makeJourney } = require("./lets-it-work.js");

test("the journey", makeJourney);
