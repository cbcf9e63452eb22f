//! Inputs of a step, made on the GPU by kernels of our own ([`kernels.cu`](../../kernels.cu)):
//! batches of images that lie there once, targets, and dropout masks.
//!
//! The kernels are compiled with the program and write into buffers that dfdx's `Gradients` lends
//! out, the one way to a tensor's memory from outside dfdx.
#![expect(unsafe_code, reason = "kernels are launched on raw pointers")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, LaunchAsync, LaunchConfig};
use cudarc::nvrtc::Ptx;
use dfdx::prelude::{Gradients, HasShape};
use dfdx::tensor::{Cuda, CudaError, ZerosTensor};

use super::super::EngineError;
use super::super::dropout::DropoutMask;
use super::super::geometry::Volume;
use super::super::portable::{Backend, Packed, Source};
use crate::base::Digest;
use crate::data::Dataset;

/// `kernels.cu`, compiled by `build.rs`.
pub(super) const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));
/// Name of the kernels among those a device has loaded.
pub(super) const MODULE: &str = "gridbench";
const KERNELS: [&str; 5] = ["pixels", "sent", "targets", "masks", "gather_gradient"];

/// Purposes of buffers; masks count on from the last.
const PIXELS: usize = 0;
const TARGETS: usize = 1;
const MASKS: usize = 2;

/// The images on the GPU, shared by the networks of a thread.
pub(super) type Held = Rc<RefCell<Option<Images>>>;

/// Images and labels of one dataset.
#[derive(Clone)]
pub(super) struct Images {
    checksum: Digest,
    pixels: Rc<CudaSlice<u8>>,
    labels: Rc<CudaSlice<u16>>,
}

/// Where a tensor lies in memory: the tensor that names it and the buffer that is it.
struct Buffer {
    name: Packed<Cuda>,
    memory: Gradients<f32, Cuda>,
}

/// Makes inputs by our kernels.
pub(super) struct KernelSource {
    dfdx: Cuda,
    driver: Arc<CudaDevice>,
    held: Held,
    images: Option<Images>,
    buffers: BTreeMap<(usize, [usize; 3]), Buffer>,
}

impl KernelSource {
    /// Loads the kernels unless this device has them.
    pub(super) fn new(dfdx: Cuda, driver: Arc<CudaDevice>, held: Held) -> Result<Self, CudaError> {
        if !driver.has_func(MODULE, KERNELS[0]) {
            driver.load_ptx(Ptx::from_src(PTX), MODULE, &KERNELS)?;
        }
        Ok(Self { dfdx, driver, held, images: None, buffers: BTreeMap::new() })
    }

    /// Returns a tensor of `shape` that `launch` has written, by the kernel named.
    fn made(
        &mut self,
        (purpose, kernel): (usize, &'static str),
        shape: (usize, usize, usize),
        launch: impl FnOnce(Launch) -> Result<(), cudarc::driver::DriverError>,
    ) -> Result<Packed<Cuda>, CudaError> {
        let key = (purpose, [shape.0, shape.1, shape.2]);
        let buffer = match self.buffers.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let name = self.dfdx.try_zeros_like(&shape)?;
                entry.insert(Buffer { name, memory: Gradients::leaky() })
            }
        };
        let out = *buffer.memory.get_or_alloc_mut(&buffer.name)?.device_ptr();
        let function = self.driver.get_func(MODULE, kernel).expect("the module was loaded");
        let values = buffer.name.shape().0 * shape.1 * shape.2;
        let blocks = u32::try_from(values.div_ceil(THREADS as usize)).unwrap_or(u32::MAX);
        let config = LaunchConfig {
            grid_dim: (blocks, 1, 1),
            block_dim: (THREADS, 1, 1),
            shared_mem_bytes: 0,
        };
        launch(Launch { function, config, out })?;
        // A copy on the device: the buffer is written again in the next step.
        Ok(buffer.memory.get(&buffer.name))
    }

    /// Sends one list of indices a model.
    fn chosen(&self, indices: &[&[u32]]) -> Result<CudaSlice<u32>, CudaError> {
        Ok(self.driver.htod_copy(indices.concat())?)
    }
}

/// Threads of a block.
const THREADS: u32 = 256;

/// A kernel about to run.
struct Launch {
    function: cudarc::driver::CudaFunction,
    config: LaunchConfig,
    out: cudarc::driver::sys::CUdeviceptr,
}

impl Source<Cuda> for KernelSource {
    fn hold(&mut self, dataset: &Dataset) -> Result<(), EngineError> {
        let mut held = self.held.borrow_mut();
        let there = held.as_ref().filter(|images| images.checksum == dataset.checksum).cloned();
        let images = if let Some(images) = there {
            images
        } else {
            // The old ones first, so that both need not fit.
            *held = None;
            let failed = |error| Cuda::failed(CudaError::Driver(error));
            let pixels = self.driver.htod_sync_copy(&dataset.pixels).map_err(failed)?;
            let labels = self.driver.htod_sync_copy(&dataset.labels).map_err(failed)?;
            let (pixels, labels) = (Rc::new(pixels), Rc::new(labels));
            held.insert(Images { checksum: dataset.checksum, pixels, labels }).clone()
        };
        self.images = Some(images);
        Ok(())
    }

    fn pixels(&mut self, indices: &[&[u32]], input: Volume) -> Result<Packed<Cuda>, CudaError> {
        let images = self.images.clone().expect("images are held before they are named");
        let chosen = self.chosen(indices)?;
        let batch = indices.first().map_or(0, |indices| indices.len());
        let shape @ (models, features, _) = (indices.len(), input.features(), batch);
        let sizes = [models as u32, features as u32, batch as u32, input.channels as u32];
        self.made((PIXELS, "pixels"), shape, |Launch { function, config, out }| {
            let from = (out, &*images.pixels, &chosen);
            // SAFETY: `out` has `models · features · batch` values, `chosen` `models · batch`, all
            // of them indices of images held; the kernel looks no further.
            unsafe {
                function.launch(
                    config,
                    (from.0, from.1, from.2, sizes[0], sizes[1], sizes[2], sizes[3]),
                )
            }
        })
    }

    fn sent(
        &mut self,
        pixels: &[&[f32]],
        input: Volume,
        images: usize,
    ) -> Result<Packed<Cuda>, CudaError> {
        let from = self.driver.htod_copy(pixels.concat())?;
        let shape = (pixels.len(), input.features(), images);
        let sizes = [pixels.len(), input.features(), images, input.channels].map(|s| s as u32);
        self.made((PIXELS, "sent"), shape, |Launch { function, config, out }| {
            // SAFETY: both sides have `models · features · images` values.
            unsafe { function.launch(config, (out, &from, sizes[0], sizes[1], sizes[2], sizes[3])) }
        })
    }

    fn targets(&mut self, indices: &[&[u32]], classes: usize) -> Result<Packed<Cuda>, CudaError> {
        let images = self.images.clone().expect("images are held before they are named");
        let chosen = self.chosen(indices)?;
        let batch = indices.first().map_or(0, |indices| indices.len());
        let sizes = [indices.len() as u32, classes as u32, batch as u32];
        let shape = (indices.len(), classes, batch);
        self.made((TARGETS, "targets"), shape, |Launch { function, config, out }| {
            // SAFETY: as for pixels, with `models · classes · batch` values.
            unsafe {
                function
                    .launch(config, (out, &*images.labels, &chosen, sizes[0], sizes[1], sizes[2]))
            }
        })
    }

    fn sent_targets(
        &mut self,
        labels: &[&[u16]],
        classes: usize,
    ) -> Result<Packed<Cuda>, CudaError> {
        let all = self.driver.htod_copy(labels.concat())?;
        let batch = labels.first().map_or(0, |labels| labels.len());
        let sizes = [labels.len() as u32, classes as u32, batch as u32];
        let shape = (labels.len(), classes, batch);
        self.made((TARGETS, "targets"), shape, |Launch { function, config, out }| {
            // SAFETY: `out` has `models · classes · batch` values, `all` `models · batch`, and no
            // list says which of them to take.
            unsafe { function.launch(config, (out, &all, 0u64, sizes[0], sizes[1], sizes[2])) }
        })
    }

    fn masks(
        &mut self,
        layer: usize,
        masks: &[DropoutMask],
        input: Volume,
        images: usize,
    ) -> Result<Packed<Cuda>, CudaError> {
        let words: Vec<u32> = masks.iter().flat_map(DropoutMask::words).collect();
        let words = self.driver.htod_copy(words)?;
        let shape = (masks.len(), input.features(), images);
        let sizes = [masks.len(), input.features(), images, input.channels].map(|s| s as u32);
        self.made((MASKS + layer, "masks"), shape, |Launch { function, config, out }| {
            // SAFETY: `out` has `models · features · images` values, `words` four a model.
            unsafe {
                function.launch(config, (out, &words, sizes[0], sizes[1], sizes[2], sizes[3]))
            }
        })
    }
}
