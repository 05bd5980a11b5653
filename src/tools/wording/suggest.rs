//! Did-you-mean suggestions by edit distance.
//!
//! The distance of two texts costs the product of their lengths, so a cheap lower bound (lengths and letters) filters
//! the candidates first, and texts longer than any name are skipped.

use crate::tools::arguments::bounds::MAX_NAME_CHARS;

/// At most this many suggestions: more is noise.
const MAX_SUGGESTIONS: usize = 3;
/// Below this likeness a suggestion misleads more than it helps.
const MIN_LIKENESS: f64 = 0.6;

/// Among all models chance likenesses abound: `customer` is no misspelt `ir.ui.view.custom`.
const MIN_SURE_LIKENESS: f64 = 0.75;

/// The candidates most like `wanted`, best first. A candidate is a technical name and a label for people.
pub(in crate::tools) fn suggest<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<&'a str> {
    ranked(wanted, candidates, MIN_LIKENESS)
}

/// Only those that `wanted` can hardly miss, for words that need not be meant as a name.
pub(in crate::tools) fn suggest_sure<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<&'a str> {
    ranked(wanted, candidates, MIN_SURE_LIKENESS)
}

fn ranked<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
    enough: f64,
) -> Vec<&'a str> {
    if is_too_long(wanted) {
        return Vec::new();
    }
    let wanted = FoldedText::new(wanted);
    let mut scored: Vec<(f64, &str)> = candidates
        .filter(|(name, label)| !is_too_long(name) && !is_too_long(label))
        .map(|(name, label)| {
            (likeness(&wanted, &FoldedText::new(name), &FoldedText::new(label), enough), name)
        })
        .filter(|(score, _)| *score >= enough)
        .collect();
    // Stable, so that equally good candidates stay in their order of relevance.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    // Beside a sure hit, weak ones only distract.
    scored
        .into_iter()
        .take_while(|(score, _)| *score >= best - 0.25)
        .take(MAX_SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

fn is_too_long(text: &str) -> bool {
    text.len() > MAX_NAME_CHARS && text.chars().nth(MAX_NAME_CHARS).is_some()
}

/// A folded text, and how often each kind of letter is in it.
struct FoldedText {
    text: String,
    length: usize,
    letters: [u8; LETTER_BUCKETS],
}

/// Letters beyond these share a place: the bound gets looser, never wrong.
const LETTER_BUCKETS: usize = 32;

impl FoldedText {
    fn new(text: &str) -> Self {
        let (text, mut letters, mut length) = (fold(text), [0_u8; LETTER_BUCKETS], 0);
        for c in text.chars() {
            length += 1;
            if let Some(count) = letters.get_mut(c as usize % LETTER_BUCKETS) {
                *count = count.saturating_add(1);
            }
        }
        Self { text, length, letters }
    }

    /// How alike two texts can be at most: each edit mends one letter that the other lacks.
    fn likeness_bound(&self, other: &Self) -> f64 {
        let (mut extra, mut lacking) = (0_usize, 0_usize);
        for (own, theirs) in self.letters.iter().zip(&other.letters) {
            extra += usize::from(own.saturating_sub(*theirs));
            lacking += usize::from(theirs.saturating_sub(*own));
        }
        let longer = self.length.max(other.length).max(1);
        1.0 - extra.max(lacking) as f64 / longer as f64
    }

    fn likeness(&self, other: &Self, enough: f64) -> f64 {
        if self.likeness_bound(other) < enough {
            return 0.0;
        }
        count_comparison();
        strsim::normalized_damerau_levenshtein(&self.text, &other.text)
    }
}

fn likeness(wanted: &FoldedText, name: &FoldedText, label: &FoldedText, enough: f64) -> f64 {
    if wanted.text == name.text {
        return 1.0;
    }
    if wanted.text == label.text {
        return 0.97;
    }
    let spelt = wanted.likeness(name, enough);
    let said = 0.95 * wanted.likeness(label, enough);
    let shared = |other: &FoldedText| shared_words(&wanted.text, &other.text);
    spelt.max(said).max(shared(name)).max(0.95 * shared(label))
}

#[cfg(test)]
thread_local! {
    /// How often a distance was computed.
    static COMPARISONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn count_comparison() {
    COMPARISONS.with(|count| count.set(count.get() + 1));
}

#[cfg(not(test))]
fn count_comparison() {}

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
pub(in crate::tools) fn join_alternatives(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// The one did-you-mean question, in the middle of a sentence.
pub(in crate::tools) fn question(alternatives: &str) -> String {
    format!("did you mean {alternatives}?")
}

/// The question as a sentence of its own, with the blank before it; empty without suggestions.
pub(in crate::tools) fn sentence(names: &[&str]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!(" {}", capitalized(&question(&join_alternatives(names))))
    }
}

/// After a semicolon: the question and then the facts, or the facts alone without suggestions.
pub(in crate::tools) fn question_or_facts(names: &[&str], facts: &str) -> String {
    if names.is_empty() {
        return facts.to_owned();
    }
    format!("{} {}", question(&join_alternatives(names)), capitalized(facts))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
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
            assert_eq!(suggest(wanted, FIELDS.into_iter()).first(), Some(&meant), "{wanted}");
        }
        assert!(suggest("zzzzzz", FIELDS.into_iter()).is_empty());
        assert!(suggest("", FIELDS.into_iter()).is_empty());
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
            assert_eq!(suggest(wanted, models.into_iter()).first(), Some(&meant), "{wanted}");
        }
    }

    #[test]
    fn a_word_is_no_misspelt_name_by_chance() {
        let models = [("ir.ui.view.custom", "Custom View"), ("res.partner", "Contact")];
        assert!(!suggest("customer", models.into_iter()).is_empty());
        assert!(suggest_sure("customer", models.into_iter()).is_empty());
        assert_eq!(suggest_sure("contcat", models.into_iter()), ["res.partner"]);
    }

    /// As many as the largest models have.
    fn many_fields() -> Vec<(String, String)> {
        (0..800).map(|n| (format!("x_{}_field_{n}", n % 7), format!("Some Label {n}"))).collect()
    }

    fn comparisons(wanted: &str) -> usize {
        COMPARISONS.with(|count| count.set(0));
        let fields = many_fields();
        suggest(wanted, fields.iter().map(|(name, label)| (name.as_str(), label.as_str())));
        COMPARISONS.with(std::cell::Cell::get)
    }

    #[test]
    fn a_name_of_any_length_costs_few_comparisons() {
        assert_eq!(comparisons(&"x".repeat(1_000_000)), 0);
        assert_eq!(comparisons(&"é".repeat(MAX_NAME_CHARS + 1)), 0);
        assert_eq!(comparisons(&"field_name_".repeat(18)), 0);
        assert_eq!(comparisons("amount_total"), 0);
        // The control: what is like many is compared with them.
        assert!(comparisons("x_3_feild_77") > 100);
    }

    #[test]
    fn the_cheap_bound_is_never_below_the_likeness() {
        let words =
            ["amount_total", "total amount", "nmae", "name", "été", "ete", "", "a", "zz top", "pot zz"];
        for (one, other) in words.iter().flat_map(|one| words.iter().map(move |other| (one, other))) {
            let (one, other) = (FoldedText::new(one), FoldedText::new(other));
            let exact = strsim::normalized_damerau_levenshtein(&one.text, &other.text);
            assert!(one.likeness_bound(&other) >= exact - 1e-9, "{} {}", one.text, other.text);
        }
    }

    #[test]
    fn names_join_to_a_phrase() {
        assert_eq!(join_alternatives(&["a"]), "`a`");
        assert_eq!(join_alternatives(&["a", "b", "c"]), "`a`, `b` or `c`");
    }

    #[test]
    fn the_question_stands_in_a_sentence_or_alone() {
        assert_eq!(sentence(&["a", "b"]), " Did you mean `a` or `b`?");
        assert_eq!(sentence(&[]), "");
        assert_eq!(question_or_facts(&["a"], "it takes b."), "did you mean `a`? It takes b.");
        assert_eq!(question_or_facts(&[], "it takes b."), "it takes b.");
    }
}
