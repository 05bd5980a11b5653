import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { Component, onMounted, onWillUnmount } from "@odoo/owl";

const POLL_EVERY = 1000;
const OPEN = ["waiting", "running"];

/**
 * Shows that a check is under way, and loads its record again until it is over. The browser asks, so that no worker of
 * Odoo waits, and it stops with the form.
 */
export class CheckProgress extends Component {
    static template = "mcp_sidecar.CheckProgress";
    static props = { ...standardFieldProps };

    setup() {
        onMounted(() => this.schedule());
        onWillUnmount(() => {
            this.ended = true;
            clearTimeout(this.timer);
        });
    }

    get state() {
        return this.props.record.data[this.props.name];
    }

    get isOpen() {
        return OPEN.includes(this.state);
    }

    schedule() {
        if (!this.ended && this.isOpen) {
            this.timer = setTimeout(() => this.poll(), POLL_EVERY);
        }
    }

    async poll() {
        try {
            await this.props.record.load();
        } catch {
            // Odoo is away for a moment: the next time may do.
        }
        this.schedule();
    }
}

registry.category("fields").add("mcp_check_progress", {
    component: CheckProgress,
    displayName: _t("Check Progress"),
    supportedTypes: ["selection"],
});
