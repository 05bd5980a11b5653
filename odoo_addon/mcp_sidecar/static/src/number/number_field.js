import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useInputField } from "@web/views/fields/input_field_hook";
import { IntegerField, integerField } from "@web/views/fields/integer/integer_field";
import { useNumpadDecimal } from "@web/views/fields/numpad_decimal_hook";
import { InvalidNumberError, parseInteger } from "@web/views/fields/parsers";
import { useState } from "@odoo/owl";

/** A whole number that has to be typed: Odoo takes an empty field for 0, which can mean that there is no limit. */
export class NumberField extends IntegerField {
    // Odoo's own, but for how the text is read, which it keeps to itself.
    setup() {
        this.state = useState({ hasFocus: false });
        useInputField({
            getValue: () => this.formattedValue,
            refName: "numpadDecimal",
            parse: (text) => this.parse(text),
        });
        useNumpadDecimal();
    }

    parse(text) {
        if (!text.trim()) {
            throw new InvalidNumberError("The number is missing");
        }
        return parseInteger(text, { allowOperation: true });
    }
}

registry.category("fields").add("mcp_number", {
    ...integerField,
    component: NumberField,
    displayName: _t("Number to Type"),
});
