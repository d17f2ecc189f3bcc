// A shop's page with a form, whichever rules it judges it by: the first verdict is shown as soon as there can be one.

import type { Issue } from "./rules.ts";

type Validate = (params: unknown) => Issue[];

/** Judges the form once, by rules that are there or are loaded. */
export async function judge(load: () => Validate | Promise<Validate>): Promise<void> {
  const validate = await load();
  // where loading and instantiating ends
  performance.mark("ready");
  const [form] = document.forms;
  const output = document.querySelector("output");
  if (!form || !output) throw new Error("the page has no form");
  const fields = new FormData(form);
  const issues = validate({
    type: fields.get("type"),
    returnUri: "https://shop.example/return",
    citizenId: fields.get("citizenId"),
  });
  output.textContent = issues.map(({ field, message }) => `${field}: ${message}`).join("\n");
}
