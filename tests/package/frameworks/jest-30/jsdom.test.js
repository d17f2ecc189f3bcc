/** @jest-environment ./environment.js */

const { makeJourney } = require("./lets-it-work.js");

test("the journey", makeJourney);
