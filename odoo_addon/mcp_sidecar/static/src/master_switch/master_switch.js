import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";
import { Component, useState } from "@odoo/owl";

/**
 * The kill switch. An ordinary stat button saves the form first, so one invalid field would block it: this one writes
 * the switch alone, whatever state the rest of the form is in.
 */
export class MasterSwitch extends Component {
    static template = "mcp_sidecar.MasterSwitch";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.state = useState({ busy: false });
    }

    get hint() {
        return this.enabled
            ? _t("Click to refuse every request of every AI tool at once")
            : _t("Click to let connected AI tools in");
    }

    get enabled() {
        return this.props.record.data.enabled;
    }

    async flip() {
        if (this.state.busy) {
            return;
        }
        this.state.busy = true;
        const { record } = this.props;
        const enabled = !this.enabled;
        try {
            await this.orm.write(record.resModel, [record.resId], { enabled });
            if (await record.isDirty()) {
                // what is being typed stays; only the switch is taken over from the server
                record._applyValues({ enabled });
            } else {
                await record.load();
            }
        } finally {
            this.state.busy = false;
        }
    }
}

registry.category("view_widgets").add("mcp_master_switch", {
    component: MasterSwitch,
    fieldDependencies: [{ name: "enabled", type: "boolean" }],
});
