//! A runtime that is chosen while the server already answers: trying out namespaces takes longer than a start may.
//! Never starts anything before the choice is made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use landfall_runtime::{
    ContainerEvent, ContainerSpec, Found, Image, Runtime, RuntimeError, RuntimeKind, choose,
};
use tokio::sync::{OnceCell, mpsc};

/// Waits for the choice at the first use.
pub struct LateRuntime {
    kind: RuntimeKind,
    data_dir: PathBuf,
    chosen: OnceCell<Arc<dyn Runtime>>,
}

impl LateRuntime {
    /// A runtime to be chosen; nothing is tried yet.
    pub fn new(kind: RuntimeKind, data_dir: &Path) -> Self {
        Self {
            kind,
            data_dir: data_dir.to_owned(),
            chosen: OnceCell::new(),
        }
    }

    /// The chosen runtime.
    pub async fn chosen(&self) -> Result<&Arc<dyn Runtime>, RuntimeError> {
        self.chosen
            .get_or_try_init(|| choose(self.kind, &self.data_dir))
            .await
    }
}

#[async_trait]
impl Runtime for LateRuntime {
    fn name(&self) -> &'static str {
        self.chosen
            .get()
            .map_or("not chosen yet", |runtime| runtime.name())
    }

    async fn prepare(&self, image: &str) -> Result<Image, RuntimeError> {
        self.chosen().await?.prepare(image).await
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        self.chosen().await?.start(spec).await
    }

    async fn watch(
        &self,
        id: &str,
        position: u64,
    ) -> Result<mpsc::Receiver<ContainerEvent>, RuntimeError> {
        self.chosen().await?.watch(id, position).await
    }

    async fn find(&self, id: &str) -> Result<Found, RuntimeError> {
        self.chosen().await?.find(id).await
    }

    async fn ids(&self) -> Result<Vec<String>, RuntimeError> {
        self.chosen().await?.ids().await
    }

    async fn stop(&self, id: &str) -> Result<(), RuntimeError> {
        self.chosen().await?.stop(id).await
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.chosen().await?.remove(id).await
    }

    async fn load(&self, archive: &Path) -> Result<Vec<(String, Image)>, RuntimeError> {
        self.chosen().await?.load(archive).await
    }

    async fn images(&self) -> Result<Vec<(String, Image)>, RuntimeError> {
        self.chosen().await?.images().await
    }
}
