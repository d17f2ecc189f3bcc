// The journey for the shop's tests that let the package work.

const { writeFileSync } = require("node:fs");
const client = require("omise-linked-accounts");
const validate = require("omise-linked-accounts/validate");
const webhook = require("omise-linked-accounts/webhook");
const { journey } = require("./journey.js");

exports.makeJourney = async () => {
  const came = await journey(client, validate, webhook, JSON.parse(process.env.SHOP));
  writeFileSync("came.json", JSON.stringify(came));
};
