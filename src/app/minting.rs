//! From a plan to a token: the secret out of its source, one request, and the answer compared with what was asked.

use std::cell::RefCell;
use std::path::Path;

use crate::app::context::Context;
use crate::domain::client::identity::Client;
use crate::domain::client::resolve::{Plan, SecretOrigin, SecretSource};
use crate::domain::client::secret::{ClientSecret, MAX_SECRET_BYTES};
use crate::domain::client::variable::GivenSecret;
use crate::domain::text::shell::quote;
use crate::domain::token::grant::{self, Token};
use crate::domain::token::scope::Ask;
use crate::edge::http::Http;
use crate::edge::{mounted_secret, thread};
use crate::failure::{Failure, Kind};

/// Mints tokens over one HTTP client.
pub(crate) struct Minter<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) http: Http<'a>,
    in_hand: RefCell<Option<ClientSecret>>,
}

impl<'a> Minter<'a> {
    pub(crate) fn new(context: &'a Context<'a>) -> Self {
        Self { context, http: context.http(), in_hand: RefCell::default() }
    }

    /// Mints for the plan's client.
    ///
    /// # Errors
    /// Where there is no secret, or no token for it.
    pub(crate) async fn mint(&self, plan: &Plan, ask: &Ask) -> Result<Token, Failure> {
        let secret = self.secret(plan).await?;
        self.mint_with(&secret, &plan.client, plan.origin(), ask).await
    }

    /// Mints with a secret that is at hand; `origin` is where it came from, or will go.
    ///
    /// # Errors
    /// Where the server does not answer, refuses, or grants something else than asked.
    pub(crate) async fn mint_with(
        &self,
        secret: &ClientSecret,
        client: &Client,
        origin: SecretOrigin<'_>,
        ask: &Ask,
    ) -> Result<Token, Failure> {
        // Before the request: the server's count of the token's seconds begins after this.
        let (request, now) = (grant::request(client, secret, ask), self.context.host.clock.now());
        let redactor = self.context.sink.redactor();
        redactor.add(secret.secret());
        let response =
            self.context.waiting("asking the authorization server", self.http.send(&request)).await?;
        for token in grant::tokens(&response) {
            redactor.add(&token);
        }
        let token =
            grant::refuse_repeated(secret, &response).and_then(|()| grant::parse(&response, ask, now));
        token.map_err(|error| Failure::grant(&error, client, origin))
    }

    /// The secret of the plan's client.
    ///
    /// # Errors
    /// Where there is none, or its store cannot be used.
    pub(crate) async fn secret(&self, plan: &Plan) -> Result<ClientSecret, Failure> {
        let secret = match &plan.source {
            SecretSource::Given(GivenSecret::Value(secret)) => secret.clone(),
            SecretSource::Given(GivenSecret::File(variable, path)) => mounted(variable, path).await?,
            SecretSource::Store(name, profile) => {
                let read = self.context.store(&profile.store)?.read(&profile.client, self.context.sink).await;
                read.map_err(|error| Failure::store(&error, &profile.client, name))?
            }
            SecretSource::Withheld(name, profile, overriding) => {
                return Err(Failure::withheld(name, &profile.client, &plan.client, overriding));
            }
        };
        self.in_hand.replace(Some(secret.clone()));
        Ok(secret)
    }

    /// The secret that was read last, if one was needed so far.
    pub(crate) fn secret_in_hand(&self) -> Option<ClientSecret> {
        self.in_hand.borrow().clone()
    }
}

async fn mounted(variable: &'static str, path: &Path) -> Result<ClientSecret, Failure> {
    let failure = |reason: String| {
        let message = format!("{variable}: the secret in `{}` cannot be used: {reason}", path.display());
        Failure::new(Kind::Configuration, message)
            .hint(format!("ls -lL {}", quote(&path.display().to_string())))
    };
    let file = path.to_owned();
    let bytes = thread::files(move || mounted_secret::read(&file, MAX_SECRET_BYTES + 2)).await;
    let bytes = zeroize::Zeroizing::new(bytes.map_err(|error| failure(error.to_string()))?);
    ClientSecret::from_bytes(&bytes).map_err(|error| failure(error.to_string()))
}
