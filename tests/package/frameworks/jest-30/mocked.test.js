/** @jest-environment jsdom */

const { createClient } = require("omise-linked-accounts");

// without a factory: Jest imports the package to see what to mock
jest.mock("omise-linked-accounts");

test("every export is mocked", () => {
  expect(createClient({})).toBeUndefined();
  expect(createClient).toHaveBeenCalledWith({});
});
