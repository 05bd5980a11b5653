//! The product's handler with one more tool, `wait`, that answers when it is told to.

#![allow(dead_code, clippy::unwrap_used)]

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use odoo_mcp_sidecar::mcp::{Caller, Handler};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerConfig, SubscriptionFilter,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::Semaphore;

#[derive(Clone)]
pub struct Waiting {
    pub inner: Handler,
    pub bell: Arc<Bell>,
}

/// How a test rings, and sees what became of the calls.
pub struct Bell {
    go: Semaphore,
    pub waiting: AtomicUsize,
    pub cancelled: AtomicUsize,
    pub done: AtomicUsize,
}

impl Default for Bell {
    fn default() -> Self {
        let zero = AtomicUsize::default;
        Self { go: Semaphore::new(0), waiting: zero(), cancelled: zero(), done: zero() }
    }
}

impl Bell {
    /// Lets one call answer.
    pub fn ring(&self) {
        self.go.add_permits(1);
    }

    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl ServerHandler for Waiting {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.inner.get_info();
        info.capabilities.tools.as_mut().unwrap().list_changed = Some(true);
        info
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.inner.list_tools(request, context).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != "wait" {
            return self.inner.call_tool(request, context).await;
        }
        let caller = Caller::from_extensions(&context.extensions)?;
        self.bell.waiting.fetch_add(1, Ordering::SeqCst);
        let rung = tokio::select! {
            permit = self.bell.go.acquire() => { permit.unwrap().forget(); true }
            () = context.ct.cancelled() => false,
        };
        self.bell.waiting.fetch_sub(1, Ordering::SeqCst);
        let count = if rung { &self.bell.done } else { &self.bell.cancelled };
        count.fetch_add(1, Ordering::SeqCst);
        let text = format!("{} from {}", caller.principal.user.login, caller.peer);
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}
