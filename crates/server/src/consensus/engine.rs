//! Wires the library's parts together, over any runtime and network.
//!
//! Always: what it takes to recover is on disk before it counts; the parts run until one of them stops,
//! which is a fault. Six channels: votes, certificates, requests for certificates, requests for blocks,
//! proposed blocks, and the server's own messages.

use super::application::{LastBlock, Proposer, now};
use super::block::{WireBlock, height, our_public_key, public_key, secret_key};
use super::delivery::{Delivery, Intake, Marshal};
use super::epochs::{Epochs, MAILBOX, RETAINED_VIEWS};
use super::handle::Question;
use super::{Certified, Chain, Config, Fault, Inlet, MAX_GOSSIP_BYTES};
use commonware_broadcast::buffered;
use commonware_codec::Encode as _;
use commonware_consensus::marshal::core::Actor;
use commonware_consensus::marshal::resolver::p2p as resolver;
use commonware_consensus::marshal::standard::{Inline, Standard};
use commonware_consensus::marshal::{self, Start};
use commonware_consensus::simplex::{self, scheme::ed25519::Scheme};
use commonware_consensus::types::{Epoch, FixedEpocher, Height as LibraryHeight};
use commonware_cryptography::certificate::{ConstantProvider, Verifier as _};
use commonware_cryptography::{Signer as _, ed25519, sha256};
use commonware_macros::select;
use commonware_p2p::utils::mux::prefixed;
use commonware_p2p::{Blocker, Provider, Receiver, Recipients, Sender, max_message_size};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use commonware_runtime::{Clock, Handle, IoBuf, Metrics, Quota, Spawner, Storage};
use commonware_storage::{archive::prunable, translator::EightCap};
use commonware_utils::{NZU32, NZU64, NZUsize, NonZeroDuration, ordered::Set};
use rand_core::CryptoRng;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::debug;
use wattbook_types::{Height, PublicKey};

/// Messages a second on one channel between two servers. Also sizes the channel's mailbox.
pub(super) const RATE: Quota = Quota::per_second(NZU32!(512));
/// Heights that share a file in the archives.
const HEIGHTS_PER_FILE: NonZeroU64 = NZU64!(65_536);
/// How far to look for a block with a certificate of its own.
const CERTIFICATE_SEARCH: u64 = 10_000;

/// A runtime that consensus can run in.
pub(super) trait Runtime: Clock + Spawner + Metrics + Storage + CryptoRng {}
impl<E: Clock + Spawner + Metrics + Storage + CryptoRng> Runtime for E {}

/// The channels, in the order of their numbers.
pub(super) struct Network<S, R, P, B> {
    pub votes: (S, R),
    pub certificates: (S, R),
    pub certificate_requests: (S, R),
    pub block_requests: (S, R),
    pub blocks: (S, R),
    pub gossip: (S, R),
    pub peers: P,
    pub blocker: B,
}

/// How many channels there are.
pub(super) const CHANNELS: usize = 6;

impl<S, R, P, B> Network<S, R, P, B> {
    /// From the channels, by number.
    pub fn new(channels: [(S, R); CHANNELS], peers: P, blocker: B) -> Self {
        let [votes, certificates, certificate_requests, block_requests, blocks, gossip] = channels;
        Self { votes, certificates, certificate_requests, block_requests, blocks, gossip, peers, blocker }
    }
}

/// The servers in the library's terms and order, which is ours: by ascending key.
pub(super) fn participants(config: &Config) -> Result<Set<ed25519::PublicKey>, Fault> {
    let keys: Option<Vec<_>> = config.servers.iter().map(public_key).collect();
    let keys = keys.ok_or_else(|| Fault::Engine("a server's key is not a key".to_owned()))?;
    Set::try_from(keys).map_err(|_| Fault::Engine("a server is named twice".to_owned()))
}

/// The scheme with which this server votes.
pub(super) fn scheme(config: &Config) -> Result<Scheme, Fault> {
    Scheme::signer(config.ledger.as_bytes(), participants(config)?, secret_key(&config.key))
        .ok_or_else(|| Fault::Engine("this server's key is not among the servers'".to_owned()))
}

/// The longest message on any channel. The network cuts off who sends a longer one.
pub(super) fn longest_message(servers: usize) -> u32 {
    let servers = servers as u32;
    let voting = simplex::max_payload_size::<Scheme, sha256::Digest>(servers);
    let blocks = marshal::max_payload_size::<Standard<WireBlock>, Scheme>(servers, &());
    max_message_size(&[prefixed(voting), blocks, MAX_GOSSIP_BYTES])
}

/// Runs consensus until something is wrong, and says what. Dropping the future stops it, at any moment.
/// What it writes stands under names that begin with `prefix`.
pub(super) async fn run<E, S, R, P, B>(
    context: E,
    network: Network<S, R, P, B>,
    config: Config,
    chain: Arc<dyn Chain>,
    inlet: Inlet,
    prefix: &str,
) -> Fault
where
    E: Runtime,
    S: Sender<PublicKey = ed25519::PublicKey>,
    R: Receiver<PublicKey = ed25519::PublicKey>,
    P: Provider<PublicKey = ed25519::PublicKey>,
    B: Blocker<PublicKey = ed25519::PublicKey>,
{
    let scheme = match scheme(&config) {
        Ok(scheme) => scheme,
        Err(fault) => return fault,
    };
    let Inlet { gossip: outbox, questions, status } = inlet;
    let status = Arc::new(status);
    let keys: Vec<PublicKey> = scheme_keys(&config);
    status.send_modify(|status| status.heard = keys.into_iter().map(|key| (key, None)).collect());

    let page_cache = CacheRef::new(page_size(4096), NZUsize!(256));
    let epocher = FixedEpocher::new(NonZeroU64::new(config.epoch_blocks.max(2)).expect("at least 2"));
    let provider = ConstantProvider::<Scheme, Epoch>::new(scheme.clone());
    let local = secret_key(&config.key).public_key();

    let resolver = resolver::init(
        context.child("block_requests"),
        resolver::Config {
            public_key: local.clone(),
            peer_provider: network.peers.clone(),
            blocker: network.blocker.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: NonZeroDuration::new_panic(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        network.block_requests,
    );
    let (broadcast, buffer) = buffered::Engine::new(
        context.child("blocks"),
        buffered::Config {
            public_key: local,
            mailbox_size: MAILBOX,
            deque_size: 16,
            priority: true,
            codec_config: (),
            peer_provider: network.peers,
            strategy: Sequential,
        },
    );
    let mut broadcast = broadcast.start(network.blocks);

    let (actor, marshal) =
        match archive(&context, &chain, provider, epocher.clone(), &page_cache, prefix).await {
            Ok(archive) => archive,
            Err(fault) => return fault,
        };
    let (blocks, intake) = mpsc::unbounded_channel();
    let mut marshal_task = actor.start(Intake { blocks, status: status.clone() }, buffer, resolver);

    let last_block = Arc::new(LastBlock::default());
    last_block.set(now(&context));
    let (durable, durable_end) = watch::channel(chain.last_final().0);
    let delivery = Delivery {
        context: context.child("delivery"),
        chain: chain.clone(),
        marshal: marshal.clone(),
        status: status.clone(),
        last_block: last_block.clone(),
        durable,
    };
    let mut delivery = context.child("delivery").spawn(move |_| delivery.run(intake));

    let proposer = Proposer {
        chain: chain.clone(),
        last_block,
        heartbeat: config.heartbeat,
        linger: config.leader_timeout / 4,
    };
    let epochs = Epochs {
        context: context.child("epochs"),
        chain: chain.clone(),
        marshal: marshal.clone(),
        automaton: Inline::new(context.child("automaton"), proposer, marshal.clone(), epocher.clone()),
        scheme,
        blocker: network.blocker,
        epocher,
        leader_timeout: config.leader_timeout,
        prefix: prefix.to_owned(),
        page_cache,
        status,
    };
    let (votes, certificates, requests) = (network.votes, network.certificates, network.certificate_requests);
    let mut epochs =
        context.child("epochs").spawn(move |_| epochs.run(votes, certificates, requests, durable_end));

    let (sender, receiver) = network.gossip;
    let mut gossip_out = context.child("gossip_out").spawn(move |_| send_gossip(sender, outbox));
    let mut gossip_in =
        context.child("gossip_in").spawn(move |context| receive_gossip(context, receiver, chain));
    let mut answers = context.child("answers").spawn(move |context| serve(context, questions, marshal));

    select! {
        fault = &mut delivery => ended("delivery", fault),
        fault = &mut epochs => ended("epochs", fault),
        end = &mut marshal_task => stopped("the archive", end),
        end = &mut broadcast => stopped("the broadcast of blocks", end),
        end = &mut gossip_in => stopped("gossip", end),
        _ = never(&mut gossip_out) => unreachable!(),
        _ = never(&mut answers) => unreachable!(),
    }
}

/// Tasks that end when nobody holds a handle any more, which is nobody's fault.
async fn never(task: &mut Handle<()>) {
    let _ = task.await;
    futures::future::pending::<()>().await;
}

fn ended(part: &str, end: Result<Fault, commonware_runtime::Error>) -> Fault {
    end.unwrap_or_else(|error| Fault::Engine(format!("{part}: {error}")))
}

fn stopped(part: &str, end: Result<(), commonware_runtime::Error>) -> Fault {
    Fault::Engine(format!("{part} stopped: {end:?}"))
}

fn scheme_keys(config: &Config) -> Vec<PublicKey> {
    let mut keys = config.servers.clone();
    keys.sort_unstable();
    keys
}

type ArchiveActor<E> = Actor<
    E,
    Standard<WireBlock>,
    ConstantProvider<Scheme, Epoch>,
    prunable::Archive<
        EightCap,
        E,
        sha256::Digest,
        commonware_consensus::simplex::types::Finalization<Scheme, sha256::Digest>,
    >,
    prunable::Archive<EightCap, E, sha256::Digest, Arc<WireBlock>>,
    FixedEpocher,
    Sequential,
>;

/// The library's archive of final blocks and certificates. Nothing in it is ever pruned.
async fn archive<E: Runtime>(
    context: &E,
    chain: &Arc<dyn Chain>,
    provider: ConstantProvider<Scheme, Epoch>,
    epocher: FixedEpocher,
    page_cache: &CacheRef,
    prefix: &str,
) -> Result<(ArchiveActor<E>, Marshal), Fault> {
    let broken = |error| Fault::Engine(format!("opening the archive: {error}"));
    let certificates = prunable::Archive::init(
        context.child("certificates"),
        archive_config(prefix, "certificates", Scheme::certificate_codec_config_unbounded(), page_cache),
    )
    .await
    .map_err(broken)?;
    let blocks = prunable::Archive::init(
        context.child("final_blocks"),
        archive_config(prefix, "blocks", (), page_cache),
    )
    .await
    .map_err(broken)?;
    let genesis = WireBlock::new(chain.genesis())
        .ok_or_else(|| Fault::Engine("the genesis block is too long".to_owned()))?;
    let (actor, mailbox, _) = Actor::init(
        context.child("archive"),
        certificates,
        blocks,
        marshal::Config {
            provider,
            epocher,
            start: Start::Genesis(genesis.digested()),
            partition_prefix: format!("{prefix}archive"),
            mailbox_size: MAILBOX,
            view_retention: RETAINED_VIEWS,
            prunable_items_per_section: NZU64!(64),
            page_cache: page_cache.clone(),
            replay_buffer: NZUsize!(256 * 1024),
            key_write_buffer: NZUsize!(16 * 1024),
            value_write_buffer: NZUsize!(64 * 1024),
            block_codec_config: (),
            max_repair: NZUsize!(64),
            max_pending_acks: NZUsize!(16),
            strategy: Sequential,
        },
    )
    .await;
    Ok((actor, mailbox))
}

fn archive_config<C>(
    prefix: &str,
    name: &str,
    codec_config: C,
    page_cache: &CacheRef,
) -> prunable::Config<EightCap, C> {
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{prefix}final-{name}-metadata"),
        key_partition: format!("{prefix}final-{name}-keys"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{prefix}final-{name}-values"),
        compression: None,
        codec_config,
        items_per_section: HEIGHTS_PER_FILE,
        key_write_buffer: NZUsize!(16 * 1024),
        value_write_buffer: NZUsize!(64 * 1024),
        replay_buffer: NZUsize!(256 * 1024),
    }
}

async fn send_gossip<S>(mut sender: S, mut outbox: mpsc::Receiver<Vec<u8>>)
where
    S: Sender<PublicKey = ed25519::PublicKey>,
{
    while let Some(message) = outbox.recv().await {
        let sent = sender.send(Recipients::All, IoBuf::from(message), false);
        if sent.is_empty() {
            debug!("a message found no server to go to");
        }
    }
}

async fn receive_gossip<E, R>(context: E, mut receiver: R, chain: Arc<dyn Chain>)
where
    E: Clock,
    R: Receiver<PublicKey = ed25519::PublicKey>,
{
    while let Ok((from, message)) = receiver.recv().await {
        if message.len() <= MAX_GOSSIP_BYTES {
            chain.gossip(our_public_key(&from), message.as_ref().to_vec(), now(&context));
        }
    }
}

async fn serve<E: Metrics>(context: E, mut questions: mpsc::Receiver<Question>, marshal: Marshal) {
    while let Some(question) = questions.recv().await {
        match question {
            Question::Certificate(height, answer) => {
                let _ = answer.send(certificate(&marshal, height).await);
            }
            Question::Block(height, answer) => {
                let found = marshal.get_block(LibraryHeight::new(height.number())).await;
                let _ = answer.send(found.map(|block| block.inner().block().as_ref().clone()));
            }
            Question::Metrics(answer) => {
                let _ = answer.send(context.encode());
            }
        }
    }
}

async fn certificate(marshal: &Marshal, wanted: Height) -> Option<Certified> {
    let (tip, _) = marshal.get_info(marshal::Identifier::Latest).await?;
    let last = tip.get().min(wanted.number().saturating_add(CERTIFICATE_SEARCH));
    for number in wanted.number()..=last {
        let at = LibraryHeight::new(number);
        if let Some(found) = marshal.get_finalization(at).await {
            return Some(Certified { height: height(at), certificate: found.encode().to_vec() });
        }
    }
    None
}
