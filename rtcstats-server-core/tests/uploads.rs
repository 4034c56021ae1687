//! Uploads and tokens, as the existing server takes and refuses them.

#![cfg(feature = "jwt")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says how much it compared"
)]

mod golden;

use rtcstats_proto::privacy::{Mode, Obfuscator};
use rtcstats_proto::{Generation, Limits as FormatLimits};
use rtcstats_server_core::{
    Authorizer, Claims, JwtAuthorizer, Limits, Refusal, Upgrade, Upload, UploadError,
};
use serde_json::{Value, json};

/// Between the times that the golden tokens name.
const NOW: f64 = 1_800_000_000_000.0;

fn rows(path: &str) -> Vec<Value> {
    let Some(path) = golden::shared(path) else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}

fn authorize(row: &Value, target: &str) -> Result<Claims, UploadError> {
    let Some(secret) = row["jwtSecret"].as_str() else {
        return Ok(Claims::default());
    };
    let upgrade = Upgrade {
        target: target.to_owned(),
        ..Upgrade::default()
    };
    JwtAuthorizer::from_secret(secret.as_bytes())
        .authorize(upgrade.token().as_deref(), NOW)
        .map_err(|_| UploadError::Forbidden)
}

/// What is stored of an upload, and what its token says.
fn upload(row: &Value) -> Result<(Vec<String>, Claims), UploadError> {
    let claims = authorize(row, row["path"].as_str().unwrap())?;
    let mut upload = Upload::new(row["headers"]["content-type"].as_str(), &Limits::default())?;
    let mut obfuscator =
        Obfuscator::new(Mode::Server(Generation::Rtcstats), FormatLimits::default());
    let mut lines = Vec::new();
    let mut each = |line: &str| {
        let mut out = String::new();
        let _ = obfuscator.line(line, &mut out);
        lines.push(out);
    };
    // Chunks that cut characters.
    for chunk in row["body"].as_str().unwrap().as_bytes().chunks(3) {
        upload.push(chunk, &mut each)?;
    }
    upload.finish(&mut each)?;
    Ok((lines, claims))
}

fn values<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Value> {
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!({ "text": line })))
        .collect()
}

#[test]
fn each_golden_upload_is_answered_and_stored_as_by_the_existing_server() {
    let mut passed = 0;
    for row in rows("golden/rtcstats/server-http.jsonl") {
        let name = row["name"].as_str().unwrap();
        // Which requests are uploads is the transport's to say; its test has the other rows. One is
        // answered before it is stored there, and after it here.
        let path = row["path"].as_str().unwrap();
        let is_upload = row["method"] == "POST"
            && path.split('?').next() == Some("/upload")
            && !matches!(name, "s-upload-disabled" | "s-insert-fails");
        if !is_upload {
            continue;
        }
        let response = &row["response"];
        match upload(&row) {
            Ok((lines, claims)) => {
                assert_eq!(response["status"], 200, "{name}");
                let own = values(lines.iter().map(String::as_str));
                assert_eq!(
                    own,
                    values(row["stored"].as_str().unwrap().lines()),
                    "{name}"
                );
                let expected = &row["inserted"][0]["auth"]["rtcStats"];
                let member = |name: &str| expected[name].as_str().map(str::to_owned);
                let found = (claims.user, claims.conference, claims.session);
                let expected = (member("user"), member("conference"), member("session"));
                assert_eq!(found, expected, "{name}");
            }
            Err(error) => {
                assert_eq!(response["status"], error.status(), "{name}: {error}");
                // What a parser says differs from one to another.
                if !matches!(error, UploadError::Head(_)) {
                    assert_eq!(response["body"], *error.body(), "{name}");
                }
                assert_eq!(
                    (&row["stored"], &row["inserted"]),
                    (&Value::Null, &json!([]))
                );
            }
        }
        passed += 1;
    }
    println!("{passed} uploads agree");
}

#[test]
fn each_golden_token_of_a_socket_is_judged_as_by_the_existing_server() {
    let mut passed = 0;
    for row in rows("golden/rtcstats/server-websocket.jsonl") {
        let Some(secret) = row["jwtSecret"].as_str() else {
            continue;
        };
        let upgrade = Upgrade {
            target: row["url"].as_str().unwrap().to_owned(),
            ..Upgrade::default()
        };
        let authorizer = JwtAuthorizer::from_secret(secret.as_bytes());
        match authorizer.authorize(upgrade.token().as_deref(), NOW) {
            Ok(claims) => {
                let expected = &row["inserted"][0]["rtcStats"];
                assert_eq!(claims.user.as_deref(), expected["user"].as_str());
                assert_eq!(claims.session.as_deref(), expected["session"].as_str());
            }
            Err(error) => {
                assert_eq!(row["result"]["closeCode"], Refusal::from(error).code);
                assert_eq!(row["inserted"], json!([]));
            }
        }
        passed += 1;
    }
    println!("{passed} tokens agree");
}
