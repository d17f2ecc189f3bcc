//! D1, statement by statement and column by column.
//!
//! The `worker` crate reads rows through serde-wasm-bindgen, whose code for each shape of row would be a tenth of the bundle.

use std::rc::Rc;

use js_sys::{Array, JsString, Reflect, futures::JsFuture};
use omise_linked_accounts::{Issue, IssueCode, Reason};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{Env, worker_sys};

use crate::{answer::Failure, context::now, sql::Sql, trace::Trace};

/// A database, for the time of one request.
pub(crate) struct Db {
    d1: worker_sys::D1Database,
    trace: Rc<Trace>,
}

/// A statement with its values.
pub(crate) struct Statement(worker_sys::D1PreparedStatement);

#[wasm_bindgen]
extern "C" {
    /// What came of a statement.
    type Answered;

    #[wasm_bindgen(method, getter)]
    fn results(this: &Answered) -> Option<Array>;
}

/// A row of an answer.
pub(crate) struct Row(JsValue);

pub(crate) type DbResult<T> = Result<T, Failure>;

impl Db {
    /// The binding `DB`.
    pub(crate) fn open(env: &Env, trace: Rc<Trace>) -> DbResult<Self> {
        let is_database = |db: &JsValue| Reflect::has(db, &"prepare".into()) == Ok(true);
        let db = Reflect::get(env, &"DB".into()).ok().filter(is_database).ok_or_else(|| {
            let issue = Issue::new("DB", IssueCode::Required, "the D1 binding is missing");
            Failure::new(Reason::Misconfigured).with_issues(vec![issue])
        })?;
        Ok(Self { d1: db.unchecked_into(), trace })
    }

    /// A statement; `?1` is the first of the values.
    pub(crate) fn statement(&self, sql: Sql, values: &[JsValue]) -> DbResult<Statement> {
        let prepared = self.d1.prepare(sql.as_str()).map_err(broken)?;
        Ok(Statement(prepared.bind(values.iter().collect()).map_err(broken)?))
    }

    /// Runs the statements in one transaction; the rows of each.
    pub(crate) async fn batch(&self, statements: Vec<Statement>) -> DbResult<Vec<Vec<Row>>> {
        let statements = statements.into_iter().map(|statement| statement.0).collect::<Array>();
        let results = self.timed(self.d1.batch(statements)).await?;
        let results = results.dyn_into::<Array>().map_err(broken)?;
        Ok(results.iter().map(|result| rows(&result)).collect())
    }

    /// Runs one statement; its rows.
    pub(crate) async fn all(&self, statement: Statement) -> DbResult<Vec<Row>> {
        Ok(rows(&self.timed(statement.0.all()).await?))
    }

    /// Runs one statement; its first row.
    pub(crate) async fn first(&self, sql: Sql, values: &[JsValue]) -> DbResult<Option<Row>> {
        let row = self.timed(self.statement(sql, values)?.0.first(None)).await?;
        Ok(if row.is_null() { None } else { Some(Row(row)) })
    }

    async fn timed(&self, promise: Result<js_sys::Promise, JsValue>) -> DbResult<JsValue> {
        let started = now();
        let result = JsFuture::from(promise.map_err(broken)?).await;
        self.trace.ledger_took(now() - started);
        result.map_err(broken)
    }
}

impl Row {
    /// A column that is TEXT and not null.
    pub(crate) fn text(&self, column: &'static str) -> DbResult<String> {
        self.optional_text(column)?.ok_or_else(|| corrupt(column))
    }

    pub(crate) fn optional_text(&self, column: &'static str) -> DbResult<Option<String>> {
        let value = self.get(column)?;
        if value.is_null() { Ok(None) } else { value.as_string().map(Some).ok_or_else(|| corrupt(column)) }
    }

    /// A column that is INTEGER, not negative and not null.
    pub(crate) fn number(&self, column: &'static str) -> DbResult<u64> {
        self.optional_number(column)?.ok_or_else(|| corrupt(column))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // D1 gives integers as doubles
    pub(crate) fn optional_number(&self, column: &'static str) -> DbResult<Option<u64>> {
        let value = self.get(column)?;
        if value.is_null() {
            return Ok(None);
        }
        value.as_f64().filter(|number| *number >= 0.0).map(|number| Some(number as u64)).ok_or_else(|| corrupt(column))
    }

    fn get(&self, column: &'static str) -> DbResult<JsValue> {
        Reflect::get(&self.0, &column.into()).ok().filter(|value| !value.is_undefined()).ok_or_else(|| corrupt(column))
    }
}

fn rows(result: &JsValue) -> Vec<Row> {
    // a statement that answers nothing may have none
    let results = result.unchecked_ref::<Answered>().results();
    results.map(|rows| rows.iter().map(Row).collect()).unwrap_or_default()
}

/// D1 takes numbers as doubles only; milliseconds stay exact in them for 285,000 years.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}

/// A value that may be null.
pub(crate) fn optional(value: Option<&str>) -> JsValue {
    value.map_or(JsValue::NULL, JsValue::from_str)
}

/// A row that is not as the migrations say.
pub(crate) fn corrupt(column: &str) -> Failure {
    Failure::new(Reason::Internal).with_log(format!("ledger: {column} cannot be read"))
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn broken(error: JsValue) -> Failure {
    // D1's own text names tables and columns, never bound values
    let text = error.dyn_ref::<js_sys::Error>().map(js_sys::Error::message);
    let text = text.or_else(|| error.dyn_ref::<JsString>().cloned()).map(String::from).unwrap_or_default();
    Failure::new(Reason::LedgerUnavailable).with_retry_after(1).with_log(format!("ledger: {text}"))
}
