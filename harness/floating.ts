// Finds promises that nobody waits for: `assert.rejects(…)` without `await` is a test that cannot fail.
//
// Biome has a rule for it that does not see types from node_modules, so it is blind to node:assert and Playwright, where it matters
// most. This asks the type checker. Its interface may change with every TypeScript, which is pinned.

import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Expression, Node, SourceFile } from "typescript/unstable/ast";
import * as is from "typescript/unstable/ast/is";
import { API, type Checker } from "typescript/unstable/sync";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const config = resolve(process.argv[2] ?? join(root, "tsconfig.json"));

/** Node's runner waits for what is registered at once; a test within a test is another matter. */
const REGISTRATION = /^(after|afterEach|before|beforeEach|describe|it|suite|test)(\.(only|skip|todo))?$/;

const api = new API({ cwd: dirname(config) });
const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
if (!project) throw new Error(`${config} is no project`);

const found: string[] = [];
for (const name of project.rootFiles) {
  const file = project.program.getSourceFile(name);
  if (!file) throw new Error(`${name} is not in the project`);
  for (const expression of floating(file, project.checker)) {
    const before = file.text.slice(0, expression.getStart(file));
    const line = before.split("\n").length;
    found.push(
      `${relative(process.cwd(), name)}:${line}: nobody waits for this promise: ${firstLine(expression, file)}`,
    );
  }
}
api.close();
if (found.length > 0) {
  console.error(found.join("\n"));
  process.exitCode = 1;
}

function floating(file: SourceFile, checker: Checker): Expression[] {
  const hits: Expression[] = [];
  const visit = (node: Node): void => {
    if (is.isExpressionStatement(node) && isLost(node.expression, file, checker)) hits.push(node.expression);
    node.forEachChild(visit);
  };
  visit(file);
  return hits;
}

function isLost(expression: Expression, file: SourceFile, checker: Checker): boolean {
  // `await x`, `void x` and `x = y` are deliberate; only a call makes a promise that nobody else has.
  if (!is.isCallExpression(expression)) return false;
  const callee = expression.expression;
  if (is.isPropertyAccessExpression(callee)) {
    const handlers = expression.arguments.length;
    if (callee.name.text === "catch" && handlers === 1) return false;
    if (callee.name.text === "then" && handlers === 2) return false;
  }
  if (importsNodeTest(file) && REGISTRATION.test(callee.getText(file))) return false;
  const type = checker.getTypeAtLocation(expression);
  const some = type && checker.getNonNullableType(type);
  return some !== undefined && checker.getPropertyOfType(some, "then") !== undefined;
}

function importsNodeTest(file: SourceFile): boolean {
  return file.statements.some(
    (statement) =>
      is.isImportDeclaration(statement) &&
      is.isStringLiteral(statement.moduleSpecifier) &&
      statement.moduleSpecifier.text === "node:test",
  );
}

function firstLine(node: Node, file: SourceFile): string {
  return node.getText(file).split("\n", 1)[0] ?? "";
}
