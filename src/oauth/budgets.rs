//! Budgets of the endpoints that anybody can call: by address block and overall.
//!
//! Many people share an address behind a NAT, and hosts start several instances of a client at once (O08): the budget
//! of an address is for a burst of these, not for a person. Behind a proxy that is not trusted all callers count as one
//! address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::OauthError;
use crate::vocab::{AddressBudget, BudgetSize};

/// How often addresses whose budgets are full again are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// The budgets of the authorization server.
#[derive(Debug)]
pub struct Budgets {
    /// Registrations make records in Odoo, which are swept a day later.
    register: AddressBudget,
    /// Authorization requests make records, too.
    authorize: AddressBudget,
    /// Codes, refresh tokens, revocations: each is one call to Odoo.
    token: AddressBudget,
    /// Fetches of client metadata documents, each of which asks a foreign host.
    documents: AddressBudget,
}

/// A budget by what it bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Register,
    Authorize,
    Token,
    Documents,
}

// === impl Budget ===

impl Budget {
    /// Its name in the audit log.
    fn reason(self) -> &'static str {
        match self {
            Self::Register => "registration_budget",
            Self::Authorize => "authorization_budget",
            Self::Token => "token_budget",
            Self::Documents => "documents_budget",
        }
    }
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
            documents: AddressBudget::new(
                BudgetSize::new(60, Duration::from_secs(1)),
                BudgetSize::new(10, Duration::from_secs(6)),
            ),
        }
    }

    /// Takes one request from a budget, or refuses it.
    pub fn acquire(&self, budget: Budget, peer: IpAddr) -> Result<(), OauthError> {
        self.try_acquire(budget, peer).map_err(|wait| OauthError::too_many_requests(budget.reason(), wait))
    }

    /// Takes one unit from a budget, or answers how long to wait.
    pub fn try_acquire(&self, budget: Budget, peer: IpAddr) -> Result<(), Duration> {
        let limiter = match budget {
            Budget::Register => &self.register,
            Budget::Authorize => &self.authorize,
            Budget::Token => &self.token,
            Budget::Documents => &self.documents,
        };
        limiter.acquire(peer)
    }

    /// Removes addresses whose budgets are full again, until `cancel`.
    pub async fn run_cleanup(self: Arc<Self>, cancel: CancellationToken) {
        let mut tick = tokio::time::interval(CLEANUP_INTERVAL);
        while cancel.run_until_cancelled(tick.tick()).await.is_some() {
            for budget in [&self.register, &self.authorize, &self.token, &self.documents] {
                budget.remove_idle();
            }
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self::new()
    }
}
