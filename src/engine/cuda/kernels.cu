// What a step needs before its first layer, made where it is used. One thread a value of a packed
// tensor: (models, features, batch), features in channel, row, column order.

typedef unsigned int u32;
typedef unsigned long long u64;

struct Element {
    u32 model, feature, image;
};

__device__ __forceinline__ Element element_of(u64 value, u32 features, u32 batch) {
    Element element;
    element.image = (u32)(value % batch);
    element.feature = (u32)(value / batch % features);
    element.model = (u32)(value / batch / features);
    return element;
}

// Where a packed feature stands among row, column, channel.
__device__ __forceinline__ u32 stored(u32 feature, u32 features, u32 channels) {
    u32 positions = features / channels;
    return feature % positions * channels + feature / positions;
}

__device__ __forceinline__ u64 thread_index() {
    return (u64)blockIdx.x * blockDim.x + threadIdx.x;
}

extern "C" __global__ void pixels(float *out, const unsigned char *images, const u32 *chosen,
                                  u32 models, u32 features, u32 batch, u32 channels) {
    u64 value = thread_index();
    if (value >= (u64)models * features * batch) return;
    Element element = element_of(value, features, batch);
    u64 image = chosen[element.model * batch + element.image];
    out[value] = (float)images[image * features + stored(element.feature, features, channels)] / 255.0f;
}

// Pixels as the host sends them: (models, batch, row, column, channel).
extern "C" __global__ void sent(float *out, const float *from, u32 models, u32 features, u32 batch,
                                u32 channels) {
    u64 value = thread_index();
    if (value >= (u64)models * features * batch) return;
    Element element = element_of(value, features, batch);
    u64 image = (u64)element.model * batch + element.image;
    out[value] = from[image * features + stored(element.feature, features, channels)];
}

// Without a list of chosen images, labels are in the order of the batch.
extern "C" __global__ void targets(float *out, const unsigned short *labels, const u32 *chosen,
                                   u32 models, u32 classes, u32 batch) {
    u64 value = thread_index();
    if (value >= (u64)models * classes * batch) return;
    Element element = element_of(value, classes, batch);
    u32 image = element.model * batch + element.image;
    out[value] = labels[chosen ? chosen[image] : image] == element.feature ? 1.0f : 0.0f;
}

// Adds to the gradient of each row of a gather's input those of its copies: the list of a row's copies
// begins at `first[row]` in `outputs` and ends where the next one begins. Blocks along images, rows and
// models.
extern "C" __global__ void gather_gradient(float *below, const float *above, const u32 *first,
                                           const u32 *outputs, u32 inputs, u32 gathered, u32 images) {
    u32 image = blockIdx.x * blockDim.x + threadIdx.x;
    u32 row = blockIdx.y * blockDim.y + threadIdx.y;
    if (image >= images || row >= inputs) return;
    const float *of_model = above + (u64)blockIdx.z * gathered * images + image;
    float sum = 0.0f;
    for (u32 at = first[row]; at < first[row + 1]; at++) sum += of_model[(u64)outputs[at] * images];
    below[((u64)blockIdx.z * inputs + row) * images + image] += sum;
}

// The hash of `kernels::simd::dropout_hash`, bit for bit.
__device__ __forceinline__ u32 dropout_hash(u32 key, u32 second_key, u32 index) {
    u32 hash = index * 0x9E3779B1u ^ key;
    hash ^= hash >> 16;
    hash *= 0x85EBCA6Bu;
    hash ^= hash >> 13;
    hash = (hash + second_key) * 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

// Four words a model: two of the key, the threshold, the bits of the scale.
extern "C" __global__ void masks(float *out, const u32 *words, u32 models, u32 features, u32 batch,
                                 u32 channels) {
    u64 value = thread_index();
    if (value >= (u64)models * features * batch) return;
    Element element = element_of(value, features, batch);
    const u32 *mask = words + 4 * element.model;
    u32 index = element.image * features + stored(element.feature, features, channels);
    bool kept = dropout_hash(mask[0], mask[1], index) >= mask[2];
    out[value] = kept ? __int_as_float((int)mask[3]) : 0.0f;
}
