import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component } from "@odoo/owl";

const ICONS = { browser: "fa-globe", api_key: "fa-key", oauth_client: "fa-cogs" };

/**
 * The authentication methods as cards; the chosen one stays as a line, from which the cards can be reached again. The
 * choice lives in the form alone, so that a wizard that is left has stored nothing.
 */
export class AuthMethodField extends Component {
    static template = "mcp_sidecar.AuthMethodField";
    static props = { ...standardFieldProps };

    get methods() {
        const { record, name } = this.props;
        return record.fields[name].selection.map(([value, title]) => ({
            value,
            title,
            icon: ICONS[value],
            text: this.texts[value],
        }));
    }

    get chosen() {
        const value = this.props.record.data[this.props.name];
        return value && this.methods.find((method) => method.value === value);
    }

    get texts() {
        return {
            browser: _t("For tools that open a login page themselves, such as claude.ai and ChatGPT."),
            api_key: _t("For tools that send a fixed key with each request, such as Claude Code, Cursor and scripts."),
            oauth_client: _t("For your own applications with a callback URL, such as Power Automate."),
        };
    }

    choose(value) {
        this.props.record.update({ [this.props.name]: value });
    }
}

registry.category("fields").add("mcp_auth_method", {
    component: AuthMethodField,
    displayName: _t("Authentication Method"),
    supportedTypes: ["selection"],
});
