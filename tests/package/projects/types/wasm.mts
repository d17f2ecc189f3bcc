// The modules' files, for those who bring their own.

import { createClient } from "omise-linked-accounts";
import { loadValidator } from "omise-linked-accounts/validate";
import rules from "omise-linked-accounts/validate/wasm";
import client from "omise-linked-accounts/wasm";

createClient({ endpoint: "https://links.shop.example", getToken: () => "token", wasm: client });
await loadValidator({ wasm: rules });
client satisfies WebAssembly.Module;
