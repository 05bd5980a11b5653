//! Budgets of the endpoints that anybody can call: by address block and overall.
//!
//! Many people share an address behind a NAT, and hosts start several instances of a client at once (O08): the budget
//! of an address is for a burst of these, not for a person. Behind a proxy that is not trusted all callers count as one
//! address.

use std::net::IpAddr;
use std::time::Duration;

use super::error::OauthError;
use crate::vocab::{AddressBudget, BudgetSize};

/// The budgets of the authorization server.
#[derive(Debug)]
pub struct Budgets {
    /// Registrations make records in Odoo, which are swept a day later.
    register: AddressBudget,
    /// Authorization requests make records, too.
    authorize: AddressBudget,
    /// Codes, refresh tokens, revocations: each is one call to Odoo.
    token: AddressBudget,
    /// Attempts at a client's secret that failed: a closed one refuses further attempts before Odoo is asked.
    failed_secrets: AddressBudget,
}

/// A budget by what it bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Register,
    Authorize,
    Token,
    FailedSecrets,
}

// === impl Budgets ===

impl Budgets {
    pub fn new() -> Self {
        Self {
            register: AddressBudget::new(
                BudgetSize::new(60, Duration::from_secs(1)),
                BudgetSize::new(20, Duration::from_secs(10)),
            ),
            authorize: AddressBudget::new(
                BudgetSize::new(200, Duration::from_millis(100)),
                BudgetSize::new(60, Duration::from_secs(1)),
            ),
            token: AddressBudget::new(
                BudgetSize::new(600, Duration::from_millis(10)),
                BudgetSize::new(200, Duration::from_millis(50)),
            ),
            failed_secrets: AddressBudget::new(
                BudgetSize::new(200, Duration::from_secs(1)),
                BudgetSize::new(20, Duration::from_secs(3)),
            ),
        }
    }

    /// The budget of fetches of client metadata documents, each of which asks a foreign host.
    pub fn documents() -> AddressBudget {
        AddressBudget::new(
            BudgetSize::new(60, Duration::from_secs(1)),
            BudgetSize::new(10, Duration::from_secs(6)),
        )
    }

    /// Takes one request from a budget, or refuses it.
    pub fn acquire(&self, budget: Budget, peer: IpAddr) -> Result<(), OauthError> {
        let (limiter, reason) = match budget {
            Budget::Register => (&self.register, "registration_budget"),
            Budget::Authorize => (&self.authorize, "authorization_budget"),
            Budget::Token => (&self.token, "token_budget"),
            Budget::FailedSecrets => (&self.failed_secrets, "failed_secrets"),
        };
        limiter.acquire(peer).map_err(|wait| OauthError::too_many_requests(reason, wait))
    }

    /// Removes addresses whose budgets are full again.
    pub fn remove_idle(&self) {
        for budget in [&self.register, &self.authorize, &self.token, &self.failed_secrets] {
            budget.remove_idle();
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self::new()
    }
}
