// A module of a page of the shop's.

const { createClient, isLinkedAccountsError } = require("omise-linked-accounts");

exports.checkout = async (type) => {
  const links = createClient({ endpoint: "https://links.shop.example", getToken: () => "token" });
  try {
    return (await links.start({ type, returnUri: "https://shop.example/return" })).id;
  } catch (error) {
    if (!isLinkedAccountsError(error)) throw error;
    return error.userMessage;
  }
};
