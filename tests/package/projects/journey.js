// What every project of the matrix does with the package: all three of its entries, each module loaded and used.

/**
 * @param {typeof import("omise-linked-accounts")} client
 * @param {typeof import("omise-linked-accounts/validate")} validate
 * @param {typeof import("omise-linked-accounts/webhook")} webhook
 * @param {{ endpoint: string, delivery: { body: string, headers: Record<string, string>, secret: string } }} shop
 */
export async function journey(client, validate, webhook, { endpoint, delivery }) {
  const links = client.createClient({ endpoint, getToken: async () => "token-1", locale: "ja" });
  const banks = await links.banks();
  const { id } = await links.create({ type: "direct_debit_scb", returnUri: "https://shop.example/return" });
  const pending = await links.retrieve(id);
  const outcome = await links.waitFor(id);
  const deleted = await links.delete(id);
  const missing = await links.retrieve("nonsense").catch((error) => error);

  const rules = await validate.loadValidator({ locale: "th" });
  const issues = rules.validateCreate({
    type: "direct_debit_scb",
    returnUri: "https://shop.example/",
    citizenId: "12",
  });

  const event = await webhook.verifyWebhook(delivery.body, delivery.headers, delivery.secret);
  const forged = await webhook
    .verifyWebhook(`${delivery.body} `, delivery.headers, delivery.secret)
    .catch((error) => error);

  return {
    banks: banks.map(({ type }) => type),
    statuses: [pending.status, outcome.result, deleted.status],
    missing: [missing.name, missing.reason, client.isLinkedAccountsError(missing)],
    // told in another language than English, so the catalogue came
    told: /[\u3040-\u30ff\u4e00-\u9fff]/.test(missing.userMessage),
    issues: issues.map(({ field, code, message }) => [field, code, /[\u0e00-\u0e7f]/.test(message)]),
    event: event.id,
    forged: [forged.name, forged.reason, forged instanceof webhook.WebhookError],
    nothingToResume: await links.resume(),
  };
}
