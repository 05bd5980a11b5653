import { registry } from "@web/core/registry";

const enabled = ".o_mcp_master_switch.btn-success:not(:disabled)";
const disabled = ".o_mcp_master_switch.btn-danger:not(:disabled)";
const perMinute = ".o_field_widget[name=rate_limit_minute] input";

registry.category("web_tour.tours").add("mcp_sidecar_switch_beside_an_invalid_field", {
    steps: () => [
        { content: "The server is off", trigger: disabled },
        { content: "Type nonsense", trigger: perMinute, run: "edit many" },
        { content: "Leave the field", trigger: ".oe_title", run: "click" },
        { content: "It is invalid", trigger: ".o_field_invalid[name=rate_limit_minute]" },
        { content: "Switch on", trigger: disabled, run: "click" },
        { content: "It is on", trigger: enabled },
        { content: "Tools can be connected", trigger: "button:contains(Connect a New Tool)" },
        { content: "What was typed is still there", trigger: `${perMinute}:value(many)` },
        { content: "Switch off", trigger: enabled, run: "click" },
        { content: "It is off", trigger: disabled },
        { content: "And on again", trigger: disabled, run: "click" },
        { content: "It is on again", trigger: enabled },
        { content: "Discard what was typed", trigger: ".o_form_button_cancel", run: "click" },
        { content: "The old value is back", trigger: `${perMinute}:value(60)` },
        { content: "And the server is still on", trigger: enabled },
    ],
});

registry.category("web_tour.tours").add("mcp_sidecar_no_limit_is_typed", {
    steps: () => [
        { content: "Empty the limit", trigger: perMinute, run: "clear" },
        { content: "Leave the field", trigger: ".oe_title", run: "click" },
        { content: "It is invalid", trigger: ".o_field_invalid[name=rate_limit_minute]" },
        { content: "Type that there is none", trigger: perMinute, run: "edit 0" },
        { content: "Leave the field", trigger: ".oe_title", run: "click" },
        { content: "It is valid", trigger: ".o_field_widget[name=rate_limit_minute]:not(.o_field_invalid)" },
        { content: "Empty another", trigger: ".o_field_widget[name=audit_retention_days] input", run: "clear" },
        { content: "Save", trigger: ".o_form_button_save", run: "click" },
        { content: "It is refused", trigger: ".o_field_invalid[name=audit_retention_days]" },
        {
            content: "Type the retention",
            trigger: ".o_field_widget[name=audit_retention_days] input",
            run: "edit 30",
        },
        { content: "Save", trigger: ".o_form_button_save", run: "click" },
        { content: "It is saved", trigger: ".o_form_view .o_form_saved" },
    ],
});

registry.category("web_tour.tours").add("mcp_sidecar_connect_a_tool", {
    steps: () => [
        { content: "Open the wizard", trigger: "button:contains(Connect a New Tool)", run: "click" },
        { content: "Look at the browser login", trigger: ".modal [data-auth-method=browser]", run: "click" },
        { content: "It waits", trigger: ".modal .o_mcp_awaited:contains(Waiting for an AI tool)" },
        { content: "And has nothing to save", trigger: ".modal-footer:not(:has(button[name=action_save]))" },
        { content: "Go back", trigger: ".modal button:contains(Choose another way)", run: "click" },
        { content: "Nothing to save so far", trigger: ".modal-footer:not(:has(button:contains(Save Connection)))" },
        { content: "Choose the method", trigger: ".modal [data-auth-method=api_key]", run: "click" },
        { content: "Name it", trigger: ".modal [name=name] input", run: "edit Abandoned" },
        { content: "Go back", trigger: ".modal button:contains(Choose another way)", run: "click" },
        { content: "All methods again", trigger: ".modal [data-auth-method=api_key]" },
        { content: "Leave", trigger: ".modal button:contains(Cancel)", run: "click" },
        { content: "Open it again", trigger: "body:not(:has(.modal)) button:contains(Connect a New Tool)", run: "click" },
        { content: "Choose the method", trigger: ".modal [data-auth-method=api_key]", run: "click" },
        { content: "Name it", trigger: ".modal [name=name] input", run: "edit Tour" },
        { content: "Choose the scope", trigger: ".modal [name=scope] [data-value=read_only]", run: "click" },
        { content: "Save", trigger: ".modal button:contains(Save Connection)", run: "click" },
        { content: "The key is shown", trigger: ".modal [name=key]:contains(mcp_ak_)" },
        { content: "And filled in", trigger: ".modal .o_mcp_snippet:contains(Bearer mcp_ak_)" },
        { content: "Close", trigger: ".modal button:contains(Done)", run: "click" },
        { content: "Back on the form", trigger: `body:not(:has(.modal)) ${enabled}` },
    ],
});

registry.category("web_tour.tours").add("mcp_sidecar_read_the_log", {
    steps: () => [
        { content: "Drill down", trigger: "button[name=action_open_logs]:contains(2)", run: "click" },
        { content: "Both are there", trigger: ".o_list_view:has(.o_data_row:eq(1))" },
        { content: "Nothing can be added", trigger: "body:not(:has(.o_list_button_add))" },
        { content: "Verify", trigger: "button[name=action_verify]", run: "click" },
        { content: "All is well", trigger: ".modal .alert-success:contains(2)" },
        { content: "Close", trigger: ".modal footer button:contains(Close)", run: "click" },
        {
            content: "Open the refusal",
            trigger: "body:not(:has(.modal)) .o_data_row:contains(Refused) .o_data_cell",
            run: "click",
        },
        { content: "Its error", trigger: ".o_notebook .nav-link:contains(Error)", run: "click" },
        { content: "Is told", trigger: ".o_field_widget[name=error]:contains(60 requests a minute are allowed.)" },
        { content: "Go to its connection", trigger: "button[name=action_open_connection]", run: "click" },
        { content: "There it is", trigger: ".o_form_view .o_field_widget[name=scope]" },
    ],
});

registry.category("web_tour.tours").add("mcp_sidecar_end_a_session", {
    steps: () => [
        { content: "Only live ones are shown", trigger: ".o_facet_values:contains(Active)" },
        { content: "Open it", trigger: ".o_data_row:contains(claude-code) .o_data_cell", run: "click" },
        { content: "End it", trigger: ".o_form_view button[name=action_deactivate]", run: "click" },
        { content: "Really", trigger: ".modal footer button:contains(Deactivate)", run: "click" },
        { content: "It has ended", trigger: "body:not(:has(.modal)) .o_field_widget[name=ended_at]" },
        { content: "And can't be ended again", trigger: "body:not(:has(button[name=action_deactivate]))" },
    ],
});

registry.category("web_tour.tours").add("mcp_sidecar_custom_client", {
    steps: () => [
        { content: "Open the wizard", trigger: "button:contains(Connect a New Tool)", run: "click" },
        { content: "Choose the method", trigger: ".modal [data-auth-method=oauth_client]", run: "click" },
        { content: "Name it", trigger: ".modal [name=name] input", run: "edit Tour Client" },
        { content: "Save too early", trigger: ".modal button:contains(Create Client)", run: "click" },
        { content: "It needs an address", trigger: ".modal .o_field_invalid[name=redirect_uris]" },
        {
            content: "Type two",
            trigger: ".modal [name=redirect_uris] textarea",
            run: (helpers) => helpers.edit("https://app.example.com/callback\nhttp://localhost:8080/callback"),
        },
        { content: "Save", trigger: ".modal button:contains(Create Client)", run: "click" },
        { content: "The secret is shown", trigger: ".modal [name=secret]:contains(mcp_cs_)" },
        { content: "And filled in", trigger: ".modal .o_mcp_snippet:contains(Client Secret: mcp_cs_)" },
        { content: "Close", trigger: ".modal button:contains(Done)", run: "click" },
        { content: "Back on the form", trigger: `body:not(:has(.modal)) ${enabled}` },
        { content: "Open the clients", trigger: "button:contains(OAuth Clients)", run: "click" },
        { content: "Open it", trigger: ".o_data_row:contains(Tour Client) .o_data_cell", run: "click" },
        { content: "Rotate", trigger: ".o_form_view button[name=action_rotate_secret]", run: "click" },
        { content: "Really", trigger: ".modal footer button:contains(Rotate Secret)", run: "click" },
        { content: "Another secret", trigger: ".modal [name=secret]:contains(mcp_cs_)" },
        { content: "With what to do next", trigger: ".modal [name=steps_rotated]:contains(Replace the secret)" },
        { content: "Close", trigger: ".modal button:contains(Done)", run: "click" },
        { content: "Back on the client", trigger: "body:not(:has(.modal)) .o_form_view [name=client_id]" },
    ],
});

const openGrants = [
    { content: "Open the menu", trigger: "body:not(:has(.modal)) .o_user_menu button", run: "click" },
    { content: "Open the preferences", trigger: ".dropdown-item[data-menu=preferences]", run: "click" },
    { content: "Open the AI tools", trigger: ".o_form_view .nav-link[name=mcp_grants]", run: "click" },
];

registry.category("web_tour.tours").add("mcp_sidecar_end_a_grant", {
    steps: () => [
        ...openGrants,
        {
            content: "Only the own one",
            trigger: "[name=mcp_grant_ids]:has(.o_data_row:contains(Own)):not(:contains(Other))",
        },
        { content: "Narrow it", trigger: "[name=mcp_grant_ids] button[name=action_limit_to_read_only]", run: "click" },
        ...openGrants,
        { content: "It is narrowed", trigger: "[name=mcp_grant_ids] .o_data_row:contains(Read Only)" },
        { content: "End it", trigger: "[name=mcp_grant_ids] button[name=action_end_grant]", run: "click" },
        { content: "Really", trigger: ".modal footer button:contains(Ok)", run: "click" },
        ...openGrants,
        { content: "It has ended", trigger: "[name=mcp_grant_ids]:not(:has(button[name=action_end_grant]))" },
    ],
});
