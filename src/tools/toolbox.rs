//! Joins tools with Odoo: who may see which, and the way of one call from arguments to reply.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::admission::{NoTool, barred};
use super::answer::Body;
use super::args::published;
use super::bounded::bounded;
use super::bounds::weight_of_all;
use super::check::Check;
use super::coerce::coerce;
use super::faults::{Doing, Seen, Wanted, explain, wanted};
use super::plan::{Arguments, Draft, Got, Plan, READ_DEADLINE_MS, Refusal, Site, Tool, WRITE_DEADLINE_MS};
use super::{Annotations, NotCalled, Reply, ToolSpec, registry, touched};
use crate::audit::{self, Deed, Outcome, Verdict};
use crate::mirror::Mirror;
use crate::odoo::gateway::{Answer, Call, Fault, FaultCode, FieldDocument, Mode, ModelDocument};
use crate::odoo::memory::Account;
use crate::odoo::{Client, Error};
use crate::vocab::{CallId, LARGE_BYTES, MethodLevel, Principal, aside, aside_for_text};

/// All tools, with what they need to run.
pub struct Toolbox {
    client: Arc<Client>,
    mirror: Arc<Mirror>,
    max_answer_chars: usize,
    entries: Vec<Entry>,
}

/// A tool with its schema compiled.
pub(super) struct Entry {
    pub spec: Arc<ToolSpec>,
    /// What is said of it where only buttons may be pressed.
    pressing: Arc<ToolSpec>,
    check: Check,
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
            .filter(|entry| entry.open_to(principal))
            .map(|entry| entry.spec_for(principal))
            .collect()
    }

    /// The tool of this name, as this principal is shown it, or why there is none.
    pub fn find(&self, principal: &Principal, name: &str) -> Result<Arc<ToolSpec>, NoTool> {
        self.entry(principal, name).map(|entry| entry.spec_for(principal))
    }

    /// Runs a tool. All that was understood comes back as a reply that a model can act on, and has a row in
    /// the audit log: kept before Odoo is asked, closed when the reply is known. The memory of the reply is reserved
    /// on `account`.
    pub async fn call(
        &self,
        principal: &Principal,
        peer: IpAddr,
        name: &str,
        arguments: Map<String, Value>,
        audit: &Arc<audit::Entry>,
        account: &Arc<Account>,
    ) -> Result<Reply, NotCalled> {
        let entry = match self.entry(principal, name) {
            Ok(entry) => entry,
            Err(none) => {
                audit.end(Verdict::refused(none.audited(), &none.to_string()));
                return Err(none.into());
            }
        };
        let payload = audit.wants_payloads().then(|| serde_json::to_string(&arguments).unwrap_or_default());
        // In a session a task of its own runs the call, not the one that has read the body.
        let bytes = weight_of_all(arguments.values(), LARGE_BYTES);
        let (plan, arguments) = match aside(bytes, || entry.compile(arguments)) {
            Ok(compiled) => compiled,
            Err(Refusal(sentence)) => {
                let sentence = audit::without_secrets(&sentence);
                audit.end(Verdict::refused("invalid_arguments", &sentence));
                return Ok(Reply::error(sentence));
            }
        };
        let call_id = CallId::random();
        let deed = Deed {
            tool: entry.spec.name,
            model: touched::model(&plan),
            ids: touched::ids(&plan),
            call_id: plan.changes().then_some(call_id),
            request: payload,
        };
        let row = audit.row(deed).ok_or(NotCalled::Unaccounted)?;
        let Some(row) = row.kept().await else {
            let refused = NotCalled::Unaccounted;
            audit.end(Verdict::refused("audit_full", &refused.to_string()));
            return Err(refused);
        };
        let running =
            Running { toolbox: self, principal, peer, entry, arguments: &arguments, call_id, account };
        match running.run(&plan).await {
            Ok(Done { reply, made }) => {
                let reply = bounded(reply, self.max_answer_chars, arguments.text("model"), plan.changes());
                row.close(Outcome { made: &made, text: &reply.text, ..Outcome::default() });
                Ok(reply)
            }
            Err(error) => {
                let reply = running.explain(&plan, &error).await;
                let reply = bounded(reply, self.max_answer_chars, None, false);
                row.close(Outcome {
                    reason: Some(&error.reason()),
                    refused: error.is_refusal(),
                    unknown: plan.changes() && error.is_unknown(),
                    text: &reply.text,
                    ..Outcome::default()
                });
                Ok(reply)
            }
        }
    }

    fn entry(&self, principal: &Principal, name: &str) -> Result<&Entry, NoTool> {
        let entry = self.entries.iter().find(|entry| entry.spec.name == name);
        let entry = entry.ok_or_else(|| NoTool::Unknown(name.to_owned()))?;
        match barred(&entry.spec, principal) {
            Some(why) => Err(NoTool::Barred { tool: entry.spec.name, why }),
            None => Ok(entry),
        }
    }
}

/// All tools of the registry. A schema that does not compile leaves its tool out; a test rules that out.
pub(super) fn entries() -> Vec<Entry> {
    registry::all().into_iter().filter_map(Entry::new).collect()
}

impl Entry {
    fn new(tool: Box<dyn Tool>) -> Option<Self> {
        let fixed = tool.spec();
        let check = Check::new(fixed.name, fixed.args)?;
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
        Some(Self { spec: Arc::new(spec), pressing: Arc::new(pressing), check, tool })
    }

    /// What this principal is shown of the tool.
    pub fn spec_for(&self, principal: &Principal) -> Arc<ToolSpec> {
        let pressing = principal.method_level == MethodLevel::Buttons;
        if pressing { self.pressing.clone() } else { self.spec.clone() }
    }

    /// A connection that may only read neither sees nor reaches what writes or runs; nor does one that may call
    /// no methods see what runs them.
    pub fn open_to(&self, principal: &Principal) -> bool {
        barred(&self.spec, principal).is_none()
    }

    /// Raw arguments to a plan; the arguments come back for shaping.
    pub fn compile(&self, arguments: Map<String, Value>) -> Result<(Plan, Arguments), Refusal> {
        let read = coerce(self.tool.spec().args, arguments).map_err(Refusal)?;
        let mut arguments = Arguments::checked(self.check.check(read).map_err(Refusal)?)?;
        let plan = self.tool.compile(&mut arguments)?;
        Ok((plan, arguments))
    }
}

/// One call under way.
struct Running<'a> {
    toolbox: &'a Toolbox,
    principal: &'a Principal,
    peer: IpAddr,
    entry: &'a Entry,
    arguments: &'a Arguments,
    /// Of the first call; a second look has one of its own.
    call_id: CallId,
    account: &'a Arc<Account>,
}

/// A call that went well.
struct Done {
    reply: Reply,
    /// The records that it made.
    made: Vec<i64>,
}

impl From<Reply> for Done {
    fn from(reply: Reply) -> Self {
        Self { reply, made: Vec::new() }
    }
}

impl Running<'_> {
    async fn run(&self, plan: &Plan) -> Result<Done, Error> {
        let mirror = &self.toolbox.mirror;
        match plan {
            Plan::Call(draft) => self.ask(draft).await,
            Plan::Models { lang } => {
                let models = mirror.models(self.principal, lang.as_deref()).await?;
                self.shape(&Got::Models(&models)).map(Done::from)
            }
            Plan::Fields { model, lang } => {
                let fields = mirror.fields(self.principal, model, lang.as_deref()).await?;
                let models = mirror.models(self.principal, lang.as_deref()).await?;
                let about = models.iter().find(|known| known.model == *model);
                self.shape(&Got::Fields { about, fields: &fields }).map(Done::from)
            }
        }
    }

    async fn ask(&self, draft: &Draft) -> Result<Done, Error> {
        let answer = match self.send(draft, self.call_id).await {
            Ok(answer) => answer,
            Err(Error::Fault(fault)) if draft.dry_run && fault.code == FaultCode::DryRun => {
                return self.would(&fault).map(Done::from);
            }
            Err(error) => return Err(error),
        };
        let results = &answer.results;
        let got = Got::Results { results, replayed: answer.replayed, more: &[], fields: &[] };
        let fields = self.fields_for(&got).await;
        let got = Got::Results { results, replayed: answer.replayed, more: &[], fields: &fields };
        let Some(Plan::Call(second)) = self.entry.tool.look_again(self.arguments, &got) else {
            return self.shape(&got).map(|reply| Done { reply, made: touched::made(&draft.steps, results) });
        };
        // It only explains an empty answer: where it fails, the answer is still an answer.
        let more = self.send(&second, CallId::random()).await.map(|answer| answer.results);
        let more = more.unwrap_or_default();
        self.shape(&Got::Results { results, replayed: answer.replayed, more: &more, fields: &fields })
            .map(Done::from)
    }

    /// The mirrored fields where they help to explain an answer; without them it is still an answer.
    async fn fields_for(&self, got: &Got<'_>) -> Arc<[FieldDocument]> {
        if !self.entry.tool.needs_fields(self.arguments, got) {
            return Arc::new([]);
        }
        let lang = self.arguments.lang();
        let fields = self.toolbox.mirror.fields(self.principal, &self.arguments.model(), lang).await;
        fields.unwrap_or_else(|_| Arc::new([]))
    }

    async fn send(&self, draft: &Draft, call_id: CallId) -> Result<Answer, Error> {
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
        };
        if reads {
            self.toolbox.client.read_shared(call).await
        } else {
            self.toolbox.client.write(call).await
        }
    }

    fn shape(&self, got: &Got<'_>) -> Result<Reply, Error> {
        let web_url = self.toolbox.mirror.web_url();
        let open = self.toolbox.entries.iter().filter(|entry| entry.open_to(self.principal));
        let tools: Vec<&'static str> = open.map(|entry| entry.spec.name).collect();
        let site = Site { web_url: &web_url, tools: &tools };
        aside_for_text(got.bytes(), || self.entry.tool.shape(self.arguments, got, &site))
    }

    fn would(&self, fault: &Fault) -> Result<Reply, Error> {
        let results = dry_results(fault)?;
        let reply =
            self.shape(&Got::Results { results: &results, replayed: false, more: &[], fields: &[] })?;
        would_reply(&reply, self.entry.spec.annotations)
    }

    /// The sentence for an error, with what the mirror shows to this caller.
    async fn explain(&self, plan: &Plan, error: &Error) -> Reply {
        let mirror = &self.toolbox.mirror;
        // A connection that Odoo refuses is looked at again before its next request.
        mirror.heed(self.principal, error);
        let doing = match plan {
            Plan::Call(draft) => Doing {
                steps: &draft.steps,
                changes: plan.changes(),
                has_key: draft.idempotency_key.is_some(),
            },
            _ => Doing::default(),
        };
        let (mut models, mut fields): (Arc<[ModelDocument]>, Arc<[FieldDocument]>) =
            (Arc::new([]), Arc::new([]));
        match wanted(error, doing) {
            Wanted::Nothing => {}
            Wanted::Models => models = mirror.models(self.principal, None).await.unwrap_or(models),
            Wanted::Fields(model) => {
                let lang = self.arguments.lang();
                fields = mirror.fields(self.principal, &model, lang).await.unwrap_or(fields);
            }
        }
        let sentence = explain(error, doing, Seen { models: &models, fields: &fields });
        // Code in Odoo raises what it likes.
        Reply::error(audit::without_secrets(&sentence))
    }
}

/// What a dry run would have answered, as raw as a real answer.
pub(super) fn dry_results(fault: &Fault) -> Result<Vec<Box<RawValue>>, Error> {
    let results = fault.data.get("results").and_then(Value::as_array).ok_or(Error::BadAnswer)?;
    results.iter().map(|result| to_raw_value(result).map_err(|_| Error::BadAnswer)).collect()
}

/// The reply of a dry run around the reply that the real call would have given.
pub(super) fn would_reply(reply: &Reply, tool: Annotations) -> Result<Reply, Error> {
    let would: &RawValue = serde_json::from_str(&reply.text).map_err(|_| Error::BadAnswer)?;
    let mut body = Body::with_room(reply.text.len() + 128);
    let note =
        if tool.destructive { "Nothing was stored." } else { "Nothing was stored; the ids are not final." };
    body.put("dry_run", true).put("note", note).raw("would", would);
    Ok(Reply::json(body))
}
