//! The product's `ServerHandler`: serves tools, and refuses everything else.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestMethod,
    CompleteRequestParams, CompleteResult, ConstString, ContentBlock, CustomRequest, CustomResult,
    DiscoverResult, ErrorCode, ListPromptsRequestMethod, ListPromptsResult,
    ListResourceTemplatesRequestMethod, ListResourceTemplatesResult, ListResourcesRequestMethod,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;

use super::{Caller, info};
use crate::audit::{self, RequestOutcome, Status};
use crate::tools::{CallRejected, Category, NoTool, Reply, ToolHandle, Toolbox};
use crate::vocab::quoted;

/// The error code of a call that cannot be audited; `web` gives it its status.
pub const AUDIT_UNAVAILABLE: ErrorCode = ErrorCode(1007);
/// The error code of a call that needs a wider scope; `web` gives it its status and its challenge.
pub const INSUFFICIENT_SCOPE: ErrorCode = ErrorCode(1005);

/// The answer to a call that panicked.
const READ_PANIC: &str = "Internal error of the sidecar; nothing is known of the answer to this call. Nothing was \
                          changed. If it fails again, the administrator finds the place in the sidecar's log.";
const CHANGE_PANIC: &str = "Internal error of the sidecar; nothing is known of the outcome of this change. Read the \
                            records to check whether it was made before you repeat it. The administrator finds the \
                            place in the sidecar's log.";

/// Methods whose parameters rmcp reads into a type of their own. One that arrives as a custom request all
/// the same had parameters of a wrong form.
const TYPED_METHODS: [&str; 4] = ["tools/call", "tools/list", "initialize", "completion/complete"];

/// Serves the tools of a `Toolbox`. Cheap to clone: rmcp makes one for each request or session.
#[derive(Debug, Clone)]
pub struct Handler {
    toolbox: Arc<Toolbox>,
}

impl Handler {
    pub fn new(toolbox: Arc<Toolbox>) -> Self {
        Self { toolbox }
    }

    async fn run_tool(
        caller: &Caller,
        tool: &ToolHandle<'_>,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Reply, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        // A call that cannot be audited is not made.
        let audit = caller.audit.as_ref().ok_or_else(|| call_error(&CallRejected::AuditUnavailable))?;
        if let Some(sentence) = &caller.unreadable {
            let sentence = audit::without_secrets(sentence);
            audit.end(RequestOutcome::refused("invalid_arguments", &sentence));
            audit.committed().await;
            return Ok(Reply::error(sentence));
        }
        let account = &caller.account;
        let is_read = tool.spec().category == Category::Read;
        let call = tool.call(caller.peer, arguments, audit, account);
        let call = catch_panic(call, is_read, |sentence| {
            audit.end(RequestOutcome {
                status: Status::Error,
                reason: Some("internal_error"),
                error: Some(sentence),
            });
        });
        let reply = if is_read {
            tokio::select! {
                reply = call => reply,
                () = context.ct.cancelled() => {
                    return Err(ErrorData::internal_error("the call was cancelled", None));
                }
            }
        } else {
            // A client that disconnects must not cancel a change that Odoo may have made already.
            call.await
        };
        // A call that is answered is in the log, even if this process is killed now.
        audit.committed().await;
        reply.map_err(|error| call_error(&error))
    }
}

/// Catches a panic of a tool call, so that the client gets an answer all the same. `close` is called with its sentence,
/// for the audit entry; the panic hook has logged the place in the source.
async fn catch_panic(
    call: impl Future<Output = Result<Reply, CallRejected>>,
    is_read: bool,
    close: impl FnOnce(&str),
) -> Result<Reply, CallRejected> {
    // What the call shared with others is behind locks that ignore poisoning.
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| {
        let sentence = if is_read { READ_PANIC } else { CHANGE_PANIC };
        close(sentence);
        Ok(Reply::error(sentence.to_owned()))
    })
}

/// Why there is no reply. A tool that the connection may not call is refused like an unknown one, but says why.
fn call_error(error: &CallRejected) -> ErrorData {
    match error {
        CallRejected::NoTool(none) => {
            let data = match none {
                NoTool::Barred { tool, .. } => json!({"reason": none.reason(), "tool": tool}),
                NoTool::Unknown(_) => json!({"reason": none.reason()}),
            };
            let code = if none.is_step_up() { INSUFFICIENT_SCOPE } else { ErrorCode::INVALID_PARAMS };
            ErrorData::new(code, none.to_string(), Some(data))
        }
        CallRejected::AuditUnavailable => {
            ErrorData::new(AUDIT_UNAVAILABLE, error.to_string(), Some(json!({"reason": "audit_full"})))
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        info::server_config()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(info::PROTOCOL_VERSIONS)
    }

    async fn discover(&self, _context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut result =
            DiscoverResult::from_server_info(info::PROTOCOL_VERSIONS.to_vec(), info::server_config());
        result.ttl_ms = info::LIST_TTL_MS;
        result.cache_scope = CacheScope::Private;
        Ok(result)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = Caller::from_extensions(&context.extensions)?;
        let tools =
            self.toolbox.list(&caller.principal).iter().map(|spec| info::tool_definition(spec)).collect();
        let mut result = ListToolsResult::with_all_items(tools);
        result.ttl_ms = Some(info::LIST_TTL_MS);
        // The list depends on scope and policy of the connection.
        result.cache_scope = Some(CacheScope::Private);
        result.meta = info::server_info_meta(&context.meta);
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = Caller::from_extensions(&context.extensions)?;
        let tool = self.toolbox.admit(&caller.principal, &request.name, caller.audit.as_deref());
        let tool = tool.map_err(|none| call_error(&none.into()))?;
        let mut reply = Self::run_tool(caller, &tool, request, &context).await?;
        if let Some(notice) = &caller.notice {
            reply = reply.noting(notice);
        }
        let content = vec![ContentBlock::text(reply.text)];
        let mut result =
            if reply.is_error { CallToolResult::error(content) } else { CallToolResult::success(content) };
        result.meta = info::server_info_meta(&context.meta);
        Ok(result.into())
    }

    /// Called by rmcp to check `Mcp-Param-*` headers, synchronously, before the handler runs.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        let caller = Caller::current()?;
        self.toolbox.find(&caller.principal, name).ok().map(|tool| info::tool_definition(&tool.spec()))
    }

    // The handshake declares none of what follows. Legacy clients request it all the same, and many take an error for
    // a broken server: they get empty lists. In the modern era, what is not declared does not exist.

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        empty_for_legacy(&context, ListPromptsRequestMethod::VALUE)
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        empty_for_legacy(&context, ListResourcesRequestMethod::VALUE)
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        empty_for_legacy(&context, ListResourceTemplatesRequestMethod::VALUE)
    }

    /// Accepted, though no log messages are sent: clients set a level without looking at the capabilities.
    #[expect(deprecated, reason = "the modern era has none; clients of the legacy era send it")]
    async fn set_level(
        &self,
        _request: rmcp::model::SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        empty_for_legacy(&context, "logging/setLevel")
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(method_not_found(CompleteRequestMethod::VALUE))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // The modern era has no handshake: there the method does not exist, with any parameters.
        let removed = request.method == "initialize" && context.meta.protocol_version().is_some();
        if TYPED_METHODS.contains(&request.method.as_str()) && !removed {
            let message = format!("the parameters of {} have a wrong form", request.method);
            return Err(ErrorData::invalid_params(message, None));
        }
        Err(method_not_found(&request.method))
    }
}

/// An empty answer to a legacy client.
fn empty_for_legacy<T: Default>(context: &RequestContext<RoleServer>, method: &str) -> Result<T, ErrorData> {
    match context.meta.protocol_version() {
        None => Ok(T::default()),
        Some(_) => Err(method_not_found(method)),
    }
}

fn method_not_found(method: &str) -> ErrorData {
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("the method {} is not served here", quoted(method)),
        None,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn panicking() -> Result<Reply, CallRejected> {
        tokio::task::yield_now().await;
        assert!(std::hint::black_box(false), "a secret");
        Ok(Reply::error("not reached".to_owned()))
    }

    #[tokio::test]
    async fn a_panic_in_a_tool_is_answered_and_audited() {
        for (is_read, expected) in [(true, "Nothing was changed"), (false, "check whether it was made")] {
            let mut audited = None;
            let reply =
                catch_panic(panicking(), is_read, |sentence| audited = Some(sentence.to_owned())).await;
            let reply = reply.unwrap();
            assert!(reply.is_error);
            assert!(reply.text.starts_with("Internal error of the sidecar"), "{}", reply.text);
            assert!(reply.text.contains(expected), "{}", reply.text);
            assert!(!reply.text.contains("a secret"));
            assert_eq!(audited, Some(reply.text));
        }
    }

    #[tokio::test]
    async fn a_call_without_a_panic_is_left_alone() {
        let call = async { Ok(Reply { text: "done".to_owned(), is_error: false }) };
        let reply = catch_panic(call, false, |_| unreachable!()).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.is_error), ("done", false));
        let rejected = async { Err(CallRejected::AuditUnavailable) };
        let rejected = catch_panic(rejected, true, |_| unreachable!()).await;
        assert!(matches!(rejected, Err(CallRejected::AuditUnavailable)));
    }
}
