// What the runtime loads: the edge, and the classes of Durable Objects. The names of the classes are what Cloudflare stores data under.

import "./microtask.js";
import { fetch } from "./edge.js";

export { AuditLog } from "./audit-log.js";
export { Customer } from "./customer.js";
export default { fetch };
