//! The cluster behind the journal of several nodes, each server of it behind a proxy.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use crate::nats::NatsServers;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::schedule::Disturbance;

pub(crate) struct Brokers {
    servers: Mutex<NatsServers>,
    /// Between nodes and each server.
    proxies: Vec<Proxy>,
}

impl Brokers {
    /// Starts a cluster of so many; `None` where the program is not installed.
    pub(crate) async fn start(count: usize, random: &mut Random) -> Option<Self> {
        let servers = NatsServers::start(count)?;
        let mut proxies = Vec::new();
        for server in 0..count {
            let address = SocketAddr::from(([127, 0, 0, 1], servers.client_port(server)));
            proxies.push(Proxy::start(vec![address], random.fork()).await);
        }
        Some(Self {
            servers: Mutex::new(servers),
            proxies,
        })
    }

    /// How nodes reach them.
    pub(crate) fn url(&self) -> String {
        let urls = self.proxies.iter();
        let urls: Vec<_> = urls
            .map(|proxy| format!("nats://{}", proxy.address))
            .collect();
        urls.join(",")
    }

    pub(crate) fn kill(&self, broker: usize) {
        self.servers.lock().unwrap().kill(broker);
    }

    pub(crate) fn revive(&self, broker: usize) {
        self.servers.lock().unwrap().launch(broker);
    }

    pub(crate) fn pause(&self, broker: usize) {
        self.servers.lock().unwrap().pause(broker);
    }

    pub(crate) fn resume(&self, broker: usize) {
        self.servers.lock().unwrap().resume(broker);
    }

    /// Does this to a share of the sockets of all of them.
    pub(crate) async fn disturb(&self, disturbance: Disturbance, share: f64, lasting: Duration) {
        let disturbed = self.proxies.iter();
        let disturbed = disturbed.map(|proxy| proxy.disturb(disturbance, share, lasting));
        futures_util::future::join_all(disturbed).await;
    }
}
