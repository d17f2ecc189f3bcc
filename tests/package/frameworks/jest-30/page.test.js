/** @jest-environment jsdom */

// A test of a page's: it mocks the client's calls.

const { createClient, NetworkError } = require("omise-linked-accounts");
const { checkout } = require("./checkout.js");

jest.mock("omise-linked-accounts", () => ({
  ...jest.requireActual("omise-linked-accounts"),
  createClient: jest.fn(),
}));

test("a page that sends the customer to the bank", async () => {
  const start = jest.fn().mockResolvedValue({ id: "lnac_test_1" });
  createClient.mockReturnValue({ start });
  expect(await checkout("direct_debit_scb")).toBe("lnac_test_1");

  start.mockRejectedValue(new NetworkError("offline"));
  expect(await checkout("direct_debit_scb")).toMatch(/.{10}/);
});

test("a page that nothing came back to", async () => {
  const links = jest
    .requireActual("omise-linked-accounts")
    .createClient({ endpoint: "https://links.shop.example", getToken: () => "token" });
  expect(await links.resume()).toBeNull();
});
