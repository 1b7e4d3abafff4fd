//! `demo`: shows a login, tokens and a session against a sandbox in this process.
//!
//! Each step runs the code of the command that it shows, and checks the result.

use std::cell::RefCell;

use clap::Args;
use serde_json::{Value, json};

use crate::app::api::Api;
use crate::app::context::Context;
use crate::app::interrupt::StopSignal;
use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::SecretOrigin;
use crate::domain::client::secret::{AccessToken, ClientSecret};
use crate::domain::corti::interaction::Interaction;
use crate::domain::corti::message::{self, ServerMessage};
use crate::domain::corti::request::Request;
use crate::domain::corti::websocket::{self, SocketKind};
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::grant::Token;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::scope::{ScopeRequest, TokenClass};
use crate::edge::keyring::Keyring;
use crate::edge::socket::Socket;
use crate::edge::store::{Store, StoreError};
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Starts a sandbox, stores a temporary secret, mints a full and a limited token, creates an interaction, opens its WebSocket
/// with the limited token, and cleans up.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {}

pub(super) async fn run(_: &DemoArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let sandbox = crate::app::sandbox::start_own("demo", context.host.clock).await?;
    let (tenant, id, secret) = sandbox.client();
    let client =
        Client { environment: sandbox.environment().clone(), tenant: tenant.clone(), id: id.clone() };
    let secret = secret.clone();
    let serving = tokio::spawn(sandbox.serve(std::future::pending()));
    let demo = Demo { tokens: Tokens::new(context), client };
    let mut stop = StopSignal::watch();
    let store = demo.choose_store().await;
    // Not interrupted: the keyring could store the secret after it was deleted here.
    let shown = match demo.log_in(&store, &secret).await {
        Ok(()) => stop.run(demo.show(&store)).await,
        Err(failure) => Err(failure),
    };
    let deleted = store.delete(&demo.client).await;
    serving.abort();
    let json = shown?;
    deleted.map_err(|error| demo.store_failure(&error))?;
    let page = Page::new().line("deleted the secret and stopped the sandbox; nothing is left behind");
    demo.step(8, "Cleaned up", "$ corti-auth logout", page);
    let text = Text::Message(Page::new().line("with an account, start with: corti-auth login"));
    Ok(Outcome::new("demo", json, text))
}

struct Demo<'a> {
    tokens: Tokens<'a>,
    client: Client,
}

impl Demo<'_> {
    /// The keyring if it is ready, otherwise memory: a demo must not wait for an unlock prompt.
    async fn choose_store(&self) -> Store {
        let keyring = Store::Keyring(Keyring::new(false));
        match keyring.probe(&self.client).await {
            Ok(_) => keyring,
            Err(_) => Store::Memory(RefCell::default()),
        }
    }

    /// Steps 3 to 7. Returns the JSON of the results.
    async fn show(&self, store: &Store) -> Result<Value, Failure> {
        let (http, Client { environment, tenant, .. }) = (&self.tokens.http, &self.client);
        let secret = store.read(&self.client, self.tokens.context.sink).await;
        let secret = secret.map_err(|error| self.store_failure(&error))?;
        let title = "A full token, for a backend";
        let full = self.token(3, title, "full", &ScopeRequest::Full, &secret).await?;
        let title = "A limited token, for a browser";
        let limited = self.token(4, title, "streams", &SocketKind::Streams.scope_request(), &secret).await?;

        let interaction =
            Api::new(http, environment, tenant, &full).create_minimal(self.tokens.context).await?;
        let page = Page::new().line(interaction.websocket_url.as_str());
        let title = "An interaction and its websocketUrl";
        self.step(5, title, "$ corti-auth interaction create", page);

        let socket = self.stream(&interaction, &limited).await?;
        let page = Page::new().toned_field("opened", Tone::Good, socket.as_str());
        let title = "The limited token opens its WebSocket";
        self.step(6, title, "open the WebSocket with the limited token", page);

        let request = Request::get(format!("{}/languages/", environment.api_url()), &limited, tenant);
        let rest_status = http.send(&request).await?.status;
        if rest_status != 403 {
            return Err(wrong("the REST API did not refuse a limited token"));
        }
        let text = format!("{rest_status}: a limited token opens no REST API");
        let page = Page::new().toned_field("refused", Tone::Good, text);
        self.step(7, "The same token opens nothing else", "GET /v2/languages/ with the limited token", page);
        Ok(json!({
            "store": store.name(),
            "websocket_url": interaction.websocket_url.as_str(),
            "full_token": TokenClass::Full.as_str(),
            "limited_token": TokenClass::Limited.as_str(),
            "socket": socket,
            "rest_with_limited_token": rest_status,
        }))
    }

    async fn log_in(&self, store: &Store, secret: &ClientSecret) -> Result<(), Failure> {
        let page = Page::new()
            .field("environment", self.client.environment.to_string())
            .field("tenant", self.client.tenant.as_str())
            .field("client", self.client.id.as_str());
        self.step(1, "Corti, emulated on this machine", "$ corti-auth sandbox", page);
        self.mint(secret, &ScopeRequest::Full).await?;
        store.write(&self.client, secret).await.map_err(|error| self.store_failure(&error))?;
        let mut page = Page::new()
            .toned_field("verified", Tone::Good, "Corti accepted the secret")
            .field("stored in", store.place(&self.client));
        if let Store::Memory(_) = store {
            page = page.toned_field("because", Tone::Dim, "no keyring is ready here: corti-auth doctor");
        }
        self.step(2, "A client secret, checked and stored", "$ corti-auth login", page);
        Ok(())
    }

    /// Mints a token and checks that it has the requested scopes.
    async fn token(
        &self,
        number: u8,
        title: &str,
        what: &str,
        requested: &ScopeRequest,
        secret: &ClientSecret,
    ) -> Result<AccessToken, Failure> {
        let token = self.mint(secret, requested).await?.access_token;
        let jwt = Jwt::decode(token.secret().expose())?;
        let inspection = Inspection::of(&jwt, self.tokens.context.host.clock.now());
        if inspection.class != Some(requested.class()) {
            return Err(wrong("the token does not have the requested scopes"));
        }
        let command = format!("$ corti-auth token {what} | corti-auth inspect");
        self.step(number, title, &command, inspection.summary());
        Ok(token)
    }

    /// Opens the WebSocket, and returns the type of the message that accepted the configuration.
    async fn stream(&self, interaction: &Interaction, limited: &AccessToken) -> Result<String, Failure> {
        let url = websocket::connect_url(&interaction.websocket_url, limited);
        let mut socket = Socket::open(&self.tokens.http, &url, self.tokens.context.options.timeout).await?;
        socket.send(message::config(&message::smallest(SocketKind::Streams, "en"))).await?;
        let answer = ServerMessage::parse(&socket.receive().await?);
        let Some(ServerMessage::Accepted(accepted)) = answer else {
            return Err(wrong("the WebSocket did not accept the configuration"));
        };
        socket.send(message::end()).await?;
        while ServerMessage::parse(&socket.receive().await?) != Some(ServerMessage::Ended) {}
        socket.close().await;
        Ok(accepted)
    }

    async fn mint(&self, secret: &ClientSecret, requested: &ScopeRequest) -> Result<Token, Failure> {
        let (name, origin) = (ProfileName::default(), SecretOrigin::Profile);
        self.tokens.mint_with(secret, &self.client, origin(&name), requested).await
    }

    fn store_failure(&self, error: &StoreError) -> Failure {
        Failure::store(error, &self.client, &ProfileName::default())
    }

    fn step(&self, number: u8, title: &str, command: &str, page: Page) {
        let head = Page::new()
            .toned(Tone::Strong, format!("{number}. {title}"))
            .toned(Tone::Dim, command)
            .join(page)
            .line("");
        self.tokens.context.sink.event(Event::Story(head));
    }
}

fn wrong(what: &'static str) -> Failure {
    Failure::new(Kind::Unexpected, format!("the demo failed: {what}")).hint("corti-auth demo -v")
}
