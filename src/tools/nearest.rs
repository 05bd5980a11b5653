//! What a misspelt name may have meant.

/// At most this many suggestions: more is noise.
const MOST: usize = 3;
/// Below this likeness a suggestion misleads more than it helps.
const LIKE_ENOUGH: f64 = 0.6;

/// Among all models chance likenesses abound: `customer` is no misspelt `ir.ui.view.custom`.
const SURELY_LIKE: f64 = 0.75;

/// The candidates most like `wanted`, best first. A candidate is a technical name and a label for people.
pub(super) fn nearest<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<&'a str> {
    like(wanted, candidates, LIKE_ENOUGH)
}

/// Only those that `wanted` can hardly miss, for words that need not be meant as a name.
pub(super) fn surely_nearest<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<&'a str> {
    like(wanted, candidates, SURELY_LIKE)
}

fn like<'a>(wanted: &str, candidates: impl Iterator<Item = (&'a str, &'a str)>, enough: f64) -> Vec<&'a str> {
    let wanted = fold(wanted);
    let mut scored: Vec<(f64, &str)> = candidates
        .map(|(name, label)| (likeness(&wanted, &fold(name), &fold(label)), name))
        .filter(|(score, _)| *score >= enough)
        .collect();
    // Stable, so that equally good candidates stay in their order of relevance.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    // Beside a sure hit, weak ones only distract.
    scored
        .into_iter()
        .take_while(|(score, _)| *score >= best - 0.25)
        .take(MOST)
        .map(|(_, name)| name)
        .collect()
}

fn likeness(wanted: &str, name: &str, label: &str) -> f64 {
    if wanted == name {
        return 1.0;
    }
    if wanted == label {
        return 0.97;
    }
    let spelt = strsim::normalized_damerau_levenshtein(wanted, name);
    let said = 0.95 * strsim::normalized_damerau_levenshtein(wanted, label);
    spelt.max(said).max(shared_words(wanted, name)).max(0.95 * shared_words(wanted, label))
}

/// All words of one in the other: `country` for `country_id`, `email_address` for `email`.
fn shared_words(one: &str, other: &str) -> f64 {
    let inside =
        |few: &str, many: &str| few.split(' ').all(|word| many.split(' ').any(|known| known == word));
    if one.is_empty() || other.is_empty() || !(inside(one, other) || inside(other, one)) {
        return 0.0;
    }
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    0.7 + 0.2 * short as f64 / long as f64
}

fn fold(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' });
    let lower = spaced.flat_map(char::to_lowercase).collect::<String>();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `a`, `a` or `b`; `a`, `b` or `c`: for sentences.
pub(super) fn either(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(&str, &str); 8] = [
        ("name", "Name"),
        ("email", "Email"),
        ("phone", "Phone"),
        ("partner_id", "Customer"),
        ("country_id", "Country"),
        ("amount_total", "Total"),
        ("date_order", "Order Date"),
        ("invoice_ids", "Invoices"),
    ];

    #[test]
    fn a_misspelt_field_finds_the_right_one_first() {
        for (wanted, meant) in [
            ("nmae", "name"),
            ("e-mail", "email"),
            ("email_address", "email"),
            ("country", "country_id"),
            ("customer", "partner_id"),
            ("total_amount", "amount_total"),
            ("order_date", "date_order"),
            ("partner", "partner_id"),
            ("invoices", "invoice_ids"),
        ] {
            assert_eq!(nearest(wanted, FIELDS.into_iter()).first(), Some(&meant), "{wanted}");
        }
        assert!(nearest("zzzzzz", FIELDS.into_iter()).is_empty());
        assert!(nearest("", FIELDS.into_iter()).is_empty());
    }

    #[test]
    fn a_misspelt_model_finds_the_right_one_first() {
        let models = [
            ("res.partner", "Contact"),
            ("res.partner.bank", "Bank Accounts"),
            ("sale.order", "Sales Order"),
            ("sale.order.line", "Sales Order Line"),
            ("account.move", "Journal Entry"),
        ];
        for (wanted, meant) in [
            ("res.partners", "res.partner"),
            ("contact", "res.partner"),
            ("Contacts", "res.partner"),
            ("sale_order", "sale.order"),
            ("sales.order", "sale.order"),
            ("partner", "res.partner"),
            ("journal entry", "account.move"),
        ] {
            assert_eq!(nearest(wanted, models.into_iter()).first(), Some(&meant), "{wanted}");
        }
    }

    #[test]
    fn a_word_is_no_misspelt_name_by_chance() {
        let models = [("ir.ui.view.custom", "Custom View"), ("res.partner", "Contact")];
        assert!(!nearest("customer", models.into_iter()).is_empty());
        assert!(surely_nearest("customer", models.into_iter()).is_empty());
        assert_eq!(surely_nearest("contcat", models.into_iter()), ["res.partner"]);
    }

    #[test]
    fn names_join_to_a_phrase() {
        assert_eq!(either(&["a"]), "`a`");
        assert_eq!(either(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
