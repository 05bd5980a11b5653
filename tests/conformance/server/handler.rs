//! A decorator: the product's handler with the fixtures of the conformance suite added.
//!
//! What is no fixture goes to the handler inside, unchanged, so that the suite sees the product's own tools,
//! lists and refusals. Capabilities are the sum of both.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::fixtures::{Shared, completion, legacy, prompts, resources, tools};

/// One of these serves one modern request or one legacy session, as the handler inside does.
pub struct FixtureHandler<H> {
    inner: H,
    shared: Arc<Shared>,
    session: legacy::Session,
}

/// The endpoint clones its handler for each request or session, so what a session has asked for starts anew.
impl<H: Clone> Clone for FixtureHandler<H> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.shared.clone())
    }
}

impl<H> FixtureHandler<H> {
    pub fn new(inner: H, shared: Arc<Shared>) -> Self {
        Self { inner, shared, session: legacy::Session::default() }
    }
}

/// A method that the product does not offer counts as an empty answer: the fixtures offer it.
fn or_default<T: Default>(answer: Result<T, ErrorData>) -> Result<T, ErrorData> {
    match answer {
        Err(fault) if fault.code == ErrorCode::METHOD_NOT_FOUND => Ok(T::default()),
        other => other,
    }
}

/// Adds the items of the fixtures behind the last page of the product's own.
macro_rules! appended {
    ($page:expr, $items:ident, $fixtures:expr) => {{
        let mut page = or_default($page)?;
        if page.next_cursor.is_none() {
            page.$items.extend($fixtures);
        }
        Ok(page)
    }};
}

fn with_fixtures(capabilities: &mut ServerCapabilities) {
    let mut tools = ToolsCapability::default();
    tools.list_changed = Some(true);
    capabilities.tools = Some(tools);
    let mut prompts = PromptsCapability::default();
    prompts.list_changed = Some(true);
    capabilities.prompts = Some(prompts);
    let resources = capabilities.resources.get_or_insert_default();
    resources.subscribe = Some(true);
    capabilities.logging.get_or_insert_default();
    capabilities.completions.get_or_insert_default();
}

impl<H: ServerHandler> ServerHandler for FixtureHandler<H> {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.inner.get_info();
        with_fixtures(&mut info.capabilities);
        info
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let mut answer = self.inner.initialize(request, context).await?;
        with_fixtures(&mut answer.capabilities);
        Ok(answer)
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut answer = self.inner.discover(context).await?;
        with_fixtures(&mut answer.capabilities);
        Ok(answer)
    }

    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.inner.ping(context).await
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.session.set_level(request.level);
        Ok(())
    }

    // === tools ===

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        appended!(self.inner.list_tools(request, context).await, tools, tools::list().iter().cloned())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name).cloned().or_else(|| self.inner.get_tool(name))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if tools::find(&request.name).is_none() {
            return self.inner.call_tool(request, context).await;
        }
        tools::call(request, context, &self.shared, &self.session).await
    }

    // === prompts and completion ===

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        appended!(self.inner.list_prompts(request, context).await, prompts, prompts::list())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        match prompts::get(&request) {
            Some(answer) => answer,
            None => self.inner.get_prompt(request, context).await,
        }
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        match completion::complete(&request) {
            Some(answer) => Ok(answer),
            None => self.inner.complete(request, context).await,
        }
    }

    // === resources ===

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        appended!(self.inner.list_resources(request, context).await, resources, resources::list())
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        appended!(
            self.inner.list_resource_templates(request, context).await,
            resource_templates,
            resources::templates()
        )
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if resources::is_fixture(&request.uri) {
            return resources::read(&request.uri).map(Into::into);
        }
        self.inner.read_resource(request, context).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if resources::is_fixture(&request.uri) {
            return self.session.subscribe(request.uri);
        }
        self.inner.subscribe(request, context).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if resources::is_fixture(&request.uri) {
            self.session.unsubscribe(&request.uri);
            return Ok(());
        }
        self.inner.unsubscribe(request, context).await
    }

    // === subscriptions/listen ===

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let mut accepted = self.inner.accepted_subscription_filter(requested).unwrap_or_default();
        accepted.tools_list_changed = requested.tools_list_changed;
        accepted.prompts_list_changed = requested.prompts_list_changed;
        let fixtures = requested
            .resource_subscriptions
            .iter()
            .flatten()
            .filter(|uri| resources::is_fixture(uri))
            .cloned();
        let mut uris: Vec<String> = fixtures.collect();
        uris.extend(accepted.resource_subscriptions.take().into_iter().flatten());
        accepted.resource_subscriptions = (!uris.is_empty()).then_some(uris);
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let _listener = self.shared.listeners.add(context.sink().clone());
        // A product without streams must not end the fixtures' one at once.
        if self.inner.accepted_subscription_filter(context.requested()).is_none() {
            context.cancelled().await;
            return Ok(());
        }
        self.inner.listen(context).await
    }

    // === the rest goes inside ===

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.inner.on_custom_request(request, context).await
    }

    async fn on_cancelled(
        &self,
        notice: CancelledNotificationParam,
        context: NotificationContext<RoleServer>,
    ) {
        self.inner.on_cancelled(notice, context).await;
    }

    async fn on_progress(&self, notice: ProgressNotificationParam, context: NotificationContext<RoleServer>) {
        self.inner.on_progress(notice, context).await;
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.inner.on_initialized(context).await;
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.inner.on_roots_list_changed(context).await;
    }

    async fn on_custom_notification(
        &self,
        notice: CustomNotification,
        context: NotificationContext<RoleServer>,
    ) {
        self.inner.on_custom_notification(notice, context).await;
    }
}
