import { serializeDateTime } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component, onMounted, onWillUnmount, useState } from "@odoo/owl";

const POLL_EVERY = 2000;
const FIELDS = ["name", "user_id", "status", "scope"];

/**
 * The AI tools that have signed in since the form was opened, and whether they are in use already. The browser asks
 * again and again, so that no worker of Odoo waits, and it stops with the form.
 */
export class AwaitedConnection extends Component {
    static template = "mcp_sidecar.AwaitedConnection";
    static props = { ...standardFieldProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ connections: [] });
        onMounted(() => this.poll());
        onWillUnmount(() => {
            this.ended = true;
            clearTimeout(this.timer);
        });
    }

    get domain() {
        const since = serializeDateTime(this.props.record.data[this.props.name]);
        return [["kind", "=", "oauth"], ["granted_at", ">=", since]];
    }

    async poll() {
        if (!document.hidden) {
            try {
                const order = { order: "granted_at desc", limit: 5 };
                this.state.connections = await this.orm.silent.searchRead("mcp.connection", this.domain, FIELDS, order);
            } catch {
                // Odoo is away for a moment: the next time may do.
            }
        }
        if (!this.ended) {
            this.timer = setTimeout(() => this.poll(), POLL_EVERY);
        }
    }

    label(connection) {
        return connection.status === "connected" ? _t("Connected") : _t("Signed in, not used yet");
    }

    open(connection) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "mcp.connection",
            res_id: connection.id,
            views: [[false, "form"]],
        });
    }
}

registry.category("fields").add("mcp_awaited_connection", {
    component: AwaitedConnection,
    displayName: _t("Awaited Connection"),
    supportedTypes: ["datetime"],
});
