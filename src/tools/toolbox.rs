//! Dispatch of tool calls: which principal sees which tool, and one call from arguments to reply.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::admission::{Barred, NoTool, barred};
use super::arguments::bounds::total_bytes;
use super::arguments::coerce::coerce;
use super::arguments::schema::published;
use super::arguments::validate::ArgumentValidator;
use super::plan::{
    ArgumentError, CallDraft, Found, Plan, READ_DEADLINE_MS, ShapeContext, Tool, ToolArguments,
    WRITE_DEADLINE_MS,
};
use super::wording::answer::ObjectWriter;
use super::wording::bounded::bounded;
use super::wording::error_text::{CallContext, KnownSchema, NeededSchema, explain, needed_schema};
use super::{Annotations, CallRejected, Reply, ToolSpec, audit_targets, registry};
use crate::audit::{self, CallEntry, CallInfo, CallOutcome, RequestOutcome};
use crate::mirror::Mirror;
use crate::odoo::contract::{Answer, Call, Fault, FaultCode, FieldDocument, Mode, ModelDocument};
use crate::odoo::memory_budget::MemoryAccount;
use crate::odoo::{Client, Error};
use crate::vocab::{CallId, MethodLevel, OFFLOAD_FROM_BYTES, Principal, offload, offload_text_scan};

/// The bound of an answer where Odoo needs no other one.
const DEFAULT_ANSWER_CHARS: usize = 150_000;

/// What this side may add to the results of Odoo.
const RESULT_MARGIN_CHARS: usize = 10_000;

/// The bound of Odoo's results for an answer of that length, in the range of the contract; none: its default.
fn result_chars(max_answer_chars: usize) -> Option<usize> {
    let room = max_answer_chars.saturating_sub(RESULT_MARGIN_CHARS).max(max_answer_chars / 2);
    (max_answer_chars != DEFAULT_ANSWER_CHARS).then(|| room.clamp(1_000, 10_000_000))
}

/// All tools, with what they need to run.
pub struct Toolbox {
    client: Arc<Client>,
    mirror: Arc<Mirror>,
    max_answer_chars: usize,
    entries: Vec<ToolEntry>,
}

/// A tool with its schema compiled.
pub(super) struct ToolEntry {
    pub spec: Arc<ToolSpec>,
    /// Shown to a connection that may only press buttons.
    buttons_spec: Arc<ToolSpec>,
    validator: ArgumentValidator,
    pub tool: Box<dyn Tool>,
}

impl std::fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Toolbox").field("tools", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Toolbox {
    pub fn new(client: Arc<Client>, mirror: Arc<Mirror>, max_answer_chars: usize) -> Self {
        Self { client, mirror, max_answer_chars, entries: entries() }
    }

    /// The tools that this principal may see, in a fixed order.
    pub fn list(&self, principal: &Principal) -> Vec<Arc<ToolSpec>> {
        self.entries
            .iter()
            .filter(|entry| entry.is_visible_to(principal))
            .map(|entry| entry.spec_for(principal))
            .collect()
    }

    /// The tool of this name for this principal, or why it has none.
    pub fn find<'a>(&'a self, principal: &'a Principal, name: &str) -> Result<ToolHandle<'a>, NoTool> {
        let entry = self.entries.iter().find(|entry| entry.spec.name == name);
        let entry = entry.ok_or_else(|| NoTool::Unknown(name.to_owned()))?;
        match barred(&entry.spec, principal) {
            Some(why) => Err(NoTool::Barred { tool: entry.spec.name, why }),
            None => Ok(ToolHandle { toolbox: self, principal, entry }),
        }
    }

    /// `find` for a call: a refusal goes to the audit log.
    pub fn admit<'a>(
        &'a self,
        principal: &'a Principal,
        name: &str,
        audit: Option<&audit::RequestEntry>,
    ) -> Result<ToolHandle<'a>, NoTool> {
        self.find(principal, name).inspect_err(|none| {
            if let Some(audit) = audit {
                audit.end(RequestOutcome::refused(none.audited(), &none.to_string()));
            }
        })
    }
}

/// A tool that its principal may call.
pub struct ToolHandle<'a> {
    toolbox: &'a Toolbox,
    principal: &'a Principal,
    entry: &'a ToolEntry,
}

impl std::fmt::Debug for ToolHandle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolHandle").field("tool", &self.entry.spec.name).finish_non_exhaustive()
    }
}

impl ToolHandle<'_> {
    /// The tool as this principal is shown it.
    pub fn spec(&self) -> Arc<ToolSpec> {
        self.entry.spec_for(self.principal)
    }

    /// Runs the tool. Every call that was understood gets a reply that a model can act on, and an entry in the audit
    /// log: committed before Odoo is called, closed when the reply is known. The memory of the reply is reserved on
    /// `account`.
    pub async fn call(
        &self,
        peer: IpAddr,
        arguments: Map<String, Value>,
        audit: &Arc<audit::RequestEntry>,
        account: &Arc<MemoryAccount>,
    ) -> Result<Reply, CallRejected> {
        let Self { toolbox, principal, entry } = *self;
        let payload = audit.wants_payloads().then(|| serde_json::to_string(&arguments).unwrap_or_default());
        // In a session another task runs the call than the one that read the body.
        let bytes = total_bytes(arguments.values(), OFFLOAD_FROM_BYTES);
        let (plan, arguments) = match offload(bytes, || entry.compile(arguments)) {
            Ok(compiled) => compiled,
            Err(ArgumentError(sentence)) => {
                let sentence = audit::without_secrets(&sentence);
                audit.end(RequestOutcome::refused("invalid_arguments", &sentence));
                return Ok(Reply::error(sentence));
            }
        };
        let call_id = CallId::random();
        let info = CallInfo {
            tool: entry.spec.name,
            model: audit_targets::model(&plan),
            ids: audit_targets::ids(&plan),
            call_id: plan.changes().then_some(call_id),
            request: payload,
        };
        let row = CallEntry::open(audit, info).ok_or(CallRejected::AuditUnavailable)?;
        let Some(row) = row.committed().await else {
            let refused = CallRejected::AuditUnavailable;
            audit.end(RequestOutcome::refused("audit_full", &refused.to_string()));
            return Err(refused);
        };
        let running = ToolRun { toolbox, principal, peer, entry, arguments: &arguments, call_id, account };
        match running.run(&plan).await {
            Ok(ToolOutcome { reply, created_ids }) => {
                let reply = bounded(reply, toolbox.max_answer_chars, arguments.text("model"), plan.changes());
                row.close(CallOutcome {
                    created_ids: &created_ids,
                    text: &reply.text,
                    ..CallOutcome::default()
                });
                Ok(reply)
            }
            Err(error) => {
                let reply = running.explain(&plan, &error).await;
                let reply = bounded(reply, toolbox.max_answer_chars, None, false);
                row.close(CallOutcome {
                    reason: Some(&error.reason()),
                    refused: error.is_refusal(),
                    unknown: plan.changes() && error.is_outcome_unknown(),
                    text: &reply.text,
                    ..CallOutcome::default()
                });
                Ok(reply)
            }
        }
    }
}

/// All tools of the registry. A schema that does not compile leaves its tool out; a test rules that out.
pub(super) fn entries() -> Vec<ToolEntry> {
    registry::all().into_iter().filter_map(ToolEntry::new).collect()
}

impl ToolEntry {
    fn new(tool: Box<dyn Tool>) -> Option<Self> {
        let fixed = tool.definition();
        let check = ArgumentValidator::new(fixed.name, fixed.args)?;
        let spec = ToolSpec {
            name: fixed.name,
            title: fixed.title,
            description: fixed.description,
            input_schema: Arc::new(published(fixed.args)),
            category: fixed.category,
            risk: fixed.risk,
            annotations: fixed.annotations,
        };
        let pressing = ToolSpec { description: tool.description_for_buttons(), ..spec.clone() };
        Some(Self { spec: Arc::new(spec), buttons_spec: Arc::new(pressing), validator: check, tool })
    }

    /// What this principal is shown of the tool.
    pub(super) fn spec_for(&self, principal: &Principal) -> Arc<ToolSpec> {
        // With less, the tool is listed only because signing in again may bring it: then buttons are the default.
        let pressing = principal.method_level != MethodLevel::Any;
        if pressing { self.buttons_spec.clone() } else { self.spec.clone() }
    }

    /// A connection that may only read neither sees nor reaches what writes or runs, unless its scope can be widened;
    /// nor does one that may call no methods see what runs them.
    pub(super) fn is_visible_to(&self, principal: &Principal) -> bool {
        matches!(barred(&self.spec, principal), None | Some(Barred::StepUp))
    }

    /// Raw arguments to a plan; the arguments come back for shaping.
    pub(super) fn compile(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<(Plan, ToolArguments), ArgumentError> {
        let read = coerce(self.tool.definition().args, arguments).map_err(ArgumentError)?;
        let mut arguments =
            ToolArguments::from_validated(self.validator.validate(read).map_err(ArgumentError)?)?;
        let plan = self.tool.compile(&mut arguments)?;
        Ok((plan, arguments))
    }
}

/// One call in flight.
struct ToolRun<'a> {
    toolbox: &'a Toolbox,
    principal: &'a Principal,
    peer: IpAddr,
    entry: &'a ToolEntry,
    arguments: &'a ToolArguments,
    /// Of the first call; a follow-up has its own.
    call_id: CallId,
    account: &'a Arc<MemoryAccount>,
}

/// A call that succeeded.
struct ToolOutcome {
    reply: Reply,
    /// The records that it created.
    created_ids: Vec<i64>,
}

impl From<Reply> for ToolOutcome {
    fn from(reply: Reply) -> Self {
        Self { reply, created_ids: Vec::new() }
    }
}

impl ToolRun<'_> {
    async fn run(&self, plan: &Plan) -> Result<ToolOutcome, Error> {
        let mirror = &self.toolbox.mirror;
        match plan {
            Plan::Call(draft) => self.execute(draft).await,
            Plan::Models { lang } => {
                let models = mirror.models(self.principal, lang.as_deref()).await?;
                self.shape(&Found::Models(&models)).map(ToolOutcome::from)
            }
            Plan::Fields { model, lang } => {
                let fields = mirror.fields(self.principal, model, lang.as_deref()).await?;
                let models = mirror.models(self.principal, lang.as_deref()).await?;
                let about = models.iter().find(|known| known.model == *model);
                self.shape(&Found::Fields { about, fields: &fields }).map(ToolOutcome::from)
            }
        }
    }

    async fn execute(&self, draft: &CallDraft) -> Result<ToolOutcome, Error> {
        let answer = match self.send(draft, self.call_id).await {
            Ok(answer) => answer,
            Err(Error::Fault(fault)) if draft.dry_run && fault.code == FaultCode::DryRun => {
                return self.dry_run_reply(&fault).map(ToolOutcome::from);
            }
            Err(error) => return Err(error),
        };
        let results = &answer.results;
        let got = Found::Results { results, replayed: answer.replayed, follow_up: &[], fields: &[] };
        let fields = self.fields_for(&got).await;
        let got = Found::Results { results, replayed: answer.replayed, follow_up: &[], fields: &fields };
        let Some(Plan::Call(second)) = self.entry.tool.follow_up(self.arguments, &got) else {
            return self.shape(&got).map(|reply| ToolOutcome {
                reply,
                created_ids: audit_targets::created_ids(&draft.steps, results),
            });
        };
        // It only explains an empty answer, so its failure is ignored.
        let more = self.send(&second, CallId::random()).await.map(|answer| answer.results);
        let more = more.unwrap_or_default();
        self.shape(&Found::Results { results, replayed: answer.replayed, follow_up: &more, fields: &fields })
            .map(ToolOutcome::from)
    }

    /// The mirrored fields, if they help to explain the answer; optional, so errors are ignored.
    async fn fields_for(&self, got: &Found<'_>) -> Arc<[FieldDocument]> {
        if !self.entry.tool.needs_fields(self.arguments, got) {
            return Arc::new([]);
        }
        let lang = self.arguments.lang();
        let fields = self.toolbox.mirror.fields(self.principal, &self.arguments.model(), lang).await;
        fields.unwrap_or_else(|_| Arc::new([]))
    }

    async fn send(&self, draft: &CallDraft, call_id: CallId) -> Result<Answer, Error> {
        let reads = draft.mode == Mode::Read;
        let call = Call {
            call_id,
            connection: self.principal.connection,
            account: Arc::clone(self.account),
            proof: self.principal.proof.clone(),
            ip: self.peer.to_string(),
            tool: self.entry.spec.name.to_owned(),
            mode: draft.mode,
            steps: draft.steps.clone(),
            context: draft.context.clone(),
            dry_run: draft.dry_run,
            deadline_ms: if reads { READ_DEADLINE_MS } else { WRITE_DEADLINE_MS },
            idempotency_key: draft.idempotency_key.clone(),
            max_chars: result_chars(self.toolbox.max_answer_chars),
        };
        if reads {
            self.toolbox.client.read_batched(call).await
        } else {
            self.toolbox.client.write(call).await
        }
    }

    fn shape(&self, got: &Found<'_>) -> Result<Reply, Error> {
        let web_url = self.toolbox.mirror.web_url();
        let open = self.toolbox.entries.iter().filter(|entry| entry.is_visible_to(self.principal));
        let tools: Vec<&'static str> = open.map(|entry| entry.spec.name).collect();
        let context = ShapeContext { web_url: &web_url, tools: &tools };
        offload_text_scan(got.bytes(), || self.entry.tool.shape(self.arguments, got, &context))
    }

    fn dry_run_reply(&self, fault: &Fault) -> Result<Reply, Error> {
        let results = dry_run_results(fault)?;
        let reply =
            self.shape(&Found::Results { results: &results, replayed: false, follow_up: &[], fields: &[] })?;
        wrap_dry_run(&reply, self.entry.spec.annotations)
    }

    /// The sentence for an error, with what the mirror shows to this caller.
    async fn explain(&self, plan: &Plan, error: &Error) -> Reply {
        let mirror = &self.toolbox.mirror;
        // A connection that Odoo refuses is authenticated again before its next request.
        mirror.on_call_error(self.principal, error);
        let doing = match plan {
            Plan::Call(draft) => CallContext {
                steps: &draft.steps,
                changes: plan.changes(),
                has_key: draft.idempotency_key.is_some(),
            },
            _ => CallContext::default(),
        };
        let (mut models, mut fields): (Arc<[ModelDocument]>, Arc<[FieldDocument]>) =
            (Arc::new([]), Arc::new([]));
        match needed_schema(error, doing) {
            NeededSchema::Nothing => {}
            NeededSchema::Models => models = mirror.models(self.principal, None).await.unwrap_or(models),
            NeededSchema::Fields(model) => {
                let lang = self.arguments.lang();
                fields = mirror.fields(self.principal, &model, lang).await.unwrap_or(fields);
            }
        }
        let sentence = explain(error, doing, KnownSchema { models: &models, fields: &fields });
        // Messages raised by Odoo code may hold secrets.
        Reply::error(audit::without_secrets(&sentence))
    }
}

/// What a dry run would have answered, as raw as a real answer.
pub(super) fn dry_run_results(fault: &Fault) -> Result<Vec<Box<RawValue>>, Error> {
    let results = fault.data.get("results").and_then(Value::as_array).ok_or(Error::InvalidAnswer)?;
    results.iter().map(|result| to_raw_value(result).map_err(|_| Error::InvalidAnswer)).collect()
}

/// The reply of a dry run around the reply that the real call would have given.
pub(super) fn wrap_dry_run(reply: &Reply, tool: Annotations) -> Result<Reply, Error> {
    let would: &RawValue = serde_json::from_str(&reply.text).map_err(|_| Error::InvalidAnswer)?;
    let mut body = ObjectWriter::with_capacity(reply.text.len() + 128);
    let note =
        if tool.destructive { "Nothing was stored." } else { "Nothing was stored; the ids are not final." };
    body.put("dry_run", true).put("note", note).raw("would", would);
    Ok(Reply::json(body))
}

#[cfg(test)]
mod tests {
    use super::result_chars;

    #[test]
    fn the_bound_of_results_leaves_room_for_the_rest_of_an_answer() {
        assert_eq!(result_chars(150_000), None);
        assert_eq!(result_chars(2_000_000), Some(1_990_000));
        assert_eq!(result_chars(12_000), Some(6_000));
        assert_eq!((result_chars(1), result_chars(usize::MAX)), (Some(1_000), Some(10_000_000)));
    }
}
