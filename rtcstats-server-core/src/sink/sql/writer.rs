//! Writes what waits, many records in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::database::{Database, Failure};
use super::rows::RecordRows;
use crate::DumpName;

/// Records in one transaction, at most: enough to make its cost small for each.
const BATCH: usize = 64;

/// A record that waits to be written.
pub(super) struct Waiting {
    pub(super) rows: RecordRows,
    pub(super) reply: oneshot::Sender<Result<(), Arc<Failure>>>,
}

/// Writes until no more records can come. Several may share a queue.
pub(super) async fn run(database: Arc<Database>, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    loop {
        let mut batch = Vec::new();
        if queue.lock().await.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        write(&database, batch).await;
    }
}

async fn write(database: &Database, batch: Vec<Waiting>) {
    let mut replies: BTreeMap<DumpName, Vec<_>> = BTreeMap::new();
    // Of the same record the last one counts. In the order of names, two transactions do not wait for
    // each other crosswise.
    let mut records = BTreeMap::new();
    for Waiting { rows, reply } in batch {
        replies.entry(rows.name.clone()).or_default().push(reply);
        records.insert(rows.name.clone(), rows);
    }
    let records: Vec<RecordRows> = records.into_values().collect();
    let mut answer = |name: &DumpName, result: &Result<(), Arc<Failure>>| {
        for reply in replies.remove(name).into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = reply.send(result.clone());
        }
    };
    let result = replace(database, &records).await;
    let is_of_one = result.as_ref().is_err_and(|error| error.is_refusal());
    if is_of_one && records.len() > 1 {
        // The one that is refused must not keep the others out.
        for record in &records {
            answer(
                &record.name,
                &replace(database, std::slice::from_ref(record)).await,
            );
        }
        return;
    }
    for record in &records {
        answer(&record.name, &result);
    }
}

async fn replace(database: &Database, records: &[RecordRows]) -> Result<(), Arc<Failure>> {
    const ATTEMPTS: u32 = 4;
    const PAUSE: Duration = Duration::from_millis(20);
    let mut attempt = 1;
    loop {
        match database.replace(records).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => {
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            result => return result.map_err(Arc::new),
        }
    }
}
