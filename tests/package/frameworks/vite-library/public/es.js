import { visit } from "./shop-accounts.es.js";

visit();
