/** @jest-environment node */

const { makeJourney } = require("./lets-it-work.js");

test("the journey", makeJourney);
