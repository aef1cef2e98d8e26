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
use super::{Certified, Chain, Config, Fault, Inlet, MAX_GOSSIP_BYTES, Status};
use commonware_broadcast::buffered;
use commonware_codec::Encode as _;
use commonware_consensus::marshal::core::Actor;
use commonware_consensus::marshal::resolver::p2p as resolver;
use commonware_consensus::marshal::standard::{Inline, Standard};
use commonware_consensus::marshal::{self, Start};
use commonware_consensus::simplex::{self, scheme::ed25519::Scheme};
use commonware_consensus::types::{Epoch, FixedEpocher, Height as LibraryHeight};
use commonware_cryptography::certificate::{ConstantProvider, Verifier as _};
use commonware_cryptography::{Digested, Signer as _, ed25519, sha256};
use commonware_macros::select;
use commonware_p2p::utils::mux::prefixed;
use commonware_p2p::{Blocker, Provider, Receiver, Recipients, Sender, max_message_size};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use commonware_runtime::{Clock, Handle, IoBuf, Metrics, Quota, Spawner, Storage};
use commonware_storage::{archive::prunable, translator::EightCap};
use commonware_utils::acknowledgement::Exact;
use commonware_utils::{NZU32, NZU64, NZUsize, NonZeroDuration, ordered::Set};
use rand_core::CryptoRng;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::debug;
use wattbook_types::{Height, PublicKey};

/// Messages a second on one channel between two servers. Also sizes the channel's mailbox.
pub(super) const RATE: Quota = Quota::per_second(NZU32!(512));
/// Heights that share a file in the archives.
const HEIGHTS_PER_FILE: NonZeroU64 = NZU64!(65_536);
/// What is read at once when a file is read again at the start.
const REPLAY_BUFFER: NonZeroUsize = NZUsize!(256 * 1024);
/// What is written at once, of keys and of values.
const KEY_BUFFER: NonZeroUsize = NZUsize!(16 * 1024);
const VALUE_BUFFER: NonZeroUsize = NZUsize!(64 * 1024);
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
    let Inlet { gossip: outbox, questions, status } = inlet;
    let status = Arc::new(status);
    let keys = sorted_keys(&config);
    status.send_modify(|status| status.heard = keys.into_iter().map(|key| (key, None)).collect());

    let (sender, receiver) = network.gossip;
    let parts = Parts {
        context: context.child("parts"),
        config,
        chain: chain.clone(),
        status,
        page_cache: CacheRef::new(page_size(4096), NZUsize!(256)),
        prefix: prefix.to_owned(),
    };
    let exchange = (network.block_requests, network.blocks, network.peers, network.blocker.clone());
    let (marshal, mut archive, mut broadcast, intake) = match parts.archive(exchange).await {
        Ok(started) => started,
        Err(fault) => return fault,
    };
    let votes = (network.votes, network.certificates, network.certificate_requests);
    let (mut delivery, mut epochs) = match parts.agree(marshal.clone(), intake, votes, network.blocker) {
        Ok(started) => started,
        Err(fault) => return fault,
    };
    let mut gossip_out = context.child("gossip_out").spawn(move |_| send_gossip(sender, outbox));
    let mut gossip_in =
        context.child("gossip_in").spawn(move |context| receive_gossip(context, receiver, chain));
    let mut answers = context.child("answers").spawn(move |context| serve(context, questions, marshal));
    select! {
        fault = &mut delivery => ended("delivery", fault),
        fault = &mut epochs => ended("epochs", fault),
        end = &mut archive => stopped("the archive", end),
        end = &mut broadcast => stopped("the broadcast of blocks", end),
        end = &mut gossip_in => stopped("gossip", end),
        _ = never(&mut gossip_out) => unreachable!(),
        _ = never(&mut answers) => unreachable!(),
    }
}

/// What the parts have in common.
struct Parts<E> {
    context: E,
    config: Config,
    chain: Arc<dyn Chain>,
    status: Arc<watch::Sender<Status>>,
    page_cache: CacheRef,
    prefix: String,
}

/// Final blocks on their way from the archive to the chain.
type Blocks = mpsc::UnboundedReceiver<(Digested<WireBlock>, Exact)>;

impl<E: Runtime> Parts<E> {
    fn epocher(&self) -> FixedEpocher {
        FixedEpocher::new(NonZeroU64::new(self.config.epoch_blocks.max(2)).expect("at least 2"))
    }

    /// Starts what fetches, spreads and archives blocks: the archive's mailbox, its task, the
    /// broadcast's task, and the final blocks.
    async fn archive<S, R, P, B>(
        &self,
        (requests, blocks, peers, blocker): ((S, R), (S, R), P, B),
    ) -> Result<(Marshal, Handle<()>, Handle<()>, Blocks), Fault>
    where
        S: Sender<PublicKey = ed25519::PublicKey>,
        R: Receiver<PublicKey = ed25519::PublicKey>,
        P: Provider<PublicKey = ed25519::PublicKey>,
        B: Blocker<PublicKey = ed25519::PublicKey>,
    {
        let local = secret_key(&self.config.key).public_key();
        let resolver = resolver::init(
            self.context.child("block_requests"),
            request_config(local.clone(), peers.clone(), blocker),
            requests,
        );
        let (broadcast, buffer) =
            buffered::Engine::new(self.context.child("blocks"), broadcast_config(local, peers));
        let broadcast = broadcast.start(blocks);
        let (actor, marshal) = self.open_archive().await?;
        let (blocks, intake) = mpsc::unbounded_channel();
        let archive = actor.start(Intake { blocks, status: self.status.clone() }, buffer, resolver);
        Ok((marshal, archive, broadcast, intake))
    }

    /// Starts delivery to the chain, and voting.
    #[allow(clippy::type_complexity)] // Three channels in the library's order.
    fn agree<S, R, B>(
        &self,
        marshal: Marshal,
        intake: Blocks,
        (votes, certificates, requests): ((S, R), (S, R), (S, R)),
        blocker: B,
    ) -> Result<(Handle<Fault>, Handle<Fault>), Fault>
    where
        S: Sender<PublicKey = ed25519::PublicKey>,
        R: Receiver<PublicKey = ed25519::PublicKey>,
        B: Blocker<PublicKey = ed25519::PublicKey>,
    {
        let (context, chain) = (&self.context, &self.chain);
        let last_block = Arc::new(LastBlock::default());
        last_block.set(now(context));
        let (durable, durable_end) = watch::channel(chain.last_final().0);
        let delivery = Delivery {
            context: context.child("delivery"),
            chain: chain.clone(),
            marshal: marshal.clone(),
            status: self.status.clone(),
            last_block: last_block.clone(),
            durable,
        };
        let proposer = Proposer {
            chain: chain.clone(),
            last_block,
            heartbeat: self.config.heartbeat,
            linger: self.config.leader_timeout / 4,
        };
        let automaton = context.child("automaton");
        let epochs = Epochs {
            context: context.child("epochs"),
            chain: chain.clone(),
            automaton: Inline::new(automaton, proposer, marshal.clone(), self.epocher()),
            marshal,
            scheme: scheme(&self.config)?,
            blocker,
            epocher: self.epocher(),
            leader_timeout: self.config.leader_timeout,
            prefix: self.prefix.clone(),
            page_cache: self.page_cache.clone(),
            status: self.status.clone(),
        };
        let delivery = context.child("delivery").spawn(move |_| delivery.run(intake));
        let epochs =
            context.child("epochs").spawn(move |_| epochs.run(votes, certificates, requests, durable_end));
        Ok((delivery, epochs))
    }

    /// Opens the library's archive of final blocks and certificates. Nothing in it is ever pruned.
    async fn open_archive(&self) -> Result<(ArchiveActor<E>, Marshal), Fault> {
        let broken = |error| Fault::Engine(format!("opening the archive: {error}"));
        let certificates = self.archive_config("certificates", Scheme::certificate_codec_config_unbounded());
        let certificates = prunable::Archive::init(self.context.child("certificates"), certificates);
        let certificates = certificates.await.map_err(broken)?;
        let blocks = self.archive_config("blocks", ());
        let blocks = prunable::Archive::init(self.context.child("final_blocks"), blocks);
        let blocks = blocks.await.map_err(broken)?;
        let genesis = WireBlock::new(self.chain.genesis())
            .ok_or_else(|| Fault::Engine("the genesis block is too long".to_owned()))?;
        let config = marshal::Config {
            provider: ConstantProvider::<Scheme, Epoch>::new(scheme(&self.config)?),
            epocher: self.epocher(),
            start: Start::Genesis(genesis.digested()),
            partition_prefix: format!("{}archive", self.prefix),
            mailbox_size: MAILBOX,
            view_retention: RETAINED_VIEWS,
            prunable_items_per_section: NZU64!(64),
            page_cache: self.page_cache.clone(),
            replay_buffer: REPLAY_BUFFER,
            key_write_buffer: KEY_BUFFER,
            value_write_buffer: VALUE_BUFFER,
            block_codec_config: (),
            max_repair: NZUsize!(64),
            max_pending_acks: NZUsize!(16),
            strategy: Sequential,
        };
        let (actor, mailbox, _) =
            Actor::init(self.context.child("archive"), certificates, blocks, config).await;
        Ok((actor, mailbox))
    }

    fn archive_config<C>(&self, name: &str, codec_config: C) -> prunable::Config<EightCap, C> {
        let prefix = &self.prefix;
        prunable::Config {
            translator: EightCap,
            metadata_partition: format!("{prefix}final-{name}-metadata"),
            key_partition: format!("{prefix}final-{name}-keys"),
            key_page_cache: self.page_cache.clone(),
            value_partition: format!("{prefix}final-{name}-values"),
            compression: None,
            codec_config,
            items_per_section: HEIGHTS_PER_FILE,
            key_write_buffer: KEY_BUFFER,
            value_write_buffer: VALUE_BUFFER,
            replay_buffer: REPLAY_BUFFER,
        }
    }
}

fn request_config<P, B>(
    public_key: ed25519::PublicKey,
    peer_provider: P,
    blocker: B,
) -> resolver::Config<ed25519::PublicKey, P, B>
where
    P: Provider<PublicKey = ed25519::PublicKey>,
    B: Blocker<PublicKey = ed25519::PublicKey>,
{
    resolver::Config {
        public_key,
        peer_provider,
        blocker,
        mailbox_size: MAILBOX,
        fetch_timeout: NonZeroDuration::new_panic(Duration::from_secs(2)),
        fetch_retry_delay: Duration::from_millis(100),
        priority_requests: false,
        priority_responses: false,
    }
}

fn broadcast_config<P>(
    public_key: ed25519::PublicKey,
    peer_provider: P,
) -> buffered::Config<ed25519::PublicKey, (), P, Sequential>
where
    P: Provider<PublicKey = ed25519::PublicKey>,
{
    buffered::Config {
        public_key,
        mailbox_size: MAILBOX,
        deque_size: 16,
        priority: true,
        codec_config: (),
        peer_provider,
        strategy: Sequential,
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

fn sorted_keys(config: &Config) -> Vec<PublicKey> {
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
