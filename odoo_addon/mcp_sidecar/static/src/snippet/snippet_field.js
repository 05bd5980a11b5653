import { CopyButton } from "@web/core/copy_button/copy_button";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component } from "@odoo/owl";

/** Several lines of code to be copied as they are. */
export class SnippetField extends Component {
    static template = "mcp_sidecar.SnippetField";
    static components = { CopyButton };
    static props = { ...standardFieldProps };

    get text() {
        return this.props.record.data[this.props.name] || "";
    }

    get copyText() {
        return _t("Copy");
    }

    get successText() {
        return _t("Copied");
    }
}

registry.category("fields").add("mcp_snippet", {
    component: SnippetField,
    displayName: _t("Code to Copy"),
    supportedTypes: ["text"],
});
