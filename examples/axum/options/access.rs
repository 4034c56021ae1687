//! Who may send, and who may delete.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rtcstats_server_core::{Authorizer, JwtAuthorizer};

/// Tokens.
#[derive(Args)]
pub(crate) struct AccessOptions {
    /// Let in only clients with a JSON Web Token that is signed with this secret (HS256, HS384, HS512),
    /// as the query parameter rtcstats-token or as bearer token. Without this and --jwks everybody
    /// may send. Reading is not protected: page, API (with the dumps) and metrics are for whoever
    /// reaches the port, so let a proxy keep them apart.
    #[arg(
        long,
        env = "RTCSTATS_JWT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub(crate) jwt_secret: Option<String>,

    /// As --jwt-secret, but signed with one of the keys of this JSON Web Key Set (RS256, RS384, RS512,
    /// ES256, ES384).
    #[arg(
        long,
        env = "RTCSTATS_JWKS",
        value_name = "FILE",
        conflicts_with = "jwt_secret"
    )]
    pub(crate) jwks: Option<PathBuf>,

    /// Answer DELETE requests for the data of a user, a conference or a session, from those with this
    /// bearer token. Without it there is no such answer.
    #[arg(
        long,
        env = "RTCSTATS_ADMIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(crate) admin_token: Option<String>,
}

impl AccessOptions {
    /// Who may send.
    pub(crate) fn authorizer(&self) -> Result<Option<Arc<dyn Authorizer>>, Box<dyn Error>> {
        let authorizer = match (&self.jwt_secret, &self.jwks) {
            (Some(secret), _) if secret.is_empty() => return Err("the secret is empty".into()),
            (Some(secret), _) => JwtAuthorizer::from_secret(secret.as_bytes()),
            (None, Some(file)) => JwtAuthorizer::from_jwks(&std::fs::read_to_string(file)?)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Arc::new(authorizer)))
    }
}
