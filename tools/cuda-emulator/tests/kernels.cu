// Kernels for the emulator's own tests: right ones, and ones with a planted bug each.

extern "C" __global__ void arithmetic(const float *x, const long long *n, float *floats, long long *integers,
                                      unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float *f = floats + 6 * i;
    f[0] = expf(x[i]);
    f[1] = x[i] / 3.0f;
    f[2] = sqrtf(fabsf(x[i]));
    f[3] = fmaxf(x[i], nanf(""));
    f[4] = floorf(x[i]);
    f[5] = fmaf(x[i], x[i], 0.25f);
    long long *l = integers + 8 * i, a = n[2 * i], b = n[2 * i + 1];
    l[0] = a / b;
    l[1] = a % b;
    l[2] = (long long)((unsigned long long)a / (unsigned long long)b);
    l[3] = __mul64hi(a, b);
    l[4] = (int)a * (int)b;
    l[5] = a >> (b & 63);
    l[6] = (long long)__float2int_rz(x[i] * 1e30f);
    l[7] = min(a, b);
}

// The sum of each block's 256 values, by halving.
extern "C" __global__ void sums(const float *values, float *totals) {
    __shared__ float part[256];
    part[threadIdx.x] = values[blockIdx.x * 256 + threadIdx.x];
    for (unsigned half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = part[0];
}

// Planted: the barrier before the first addition is missing.
extern "C" __global__ void sums_without_a_barrier(const float *values, float *totals) {
    __shared__ float part[256];
    part[threadIdx.x] = values[blockIdx.x * 256 + threadIdx.x];
    for (unsigned half = 128; half > 0; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = part[0];
}

extern "C" __global__ void total(const float *values, float *result, unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) atomicAdd(result, values[i]);
}

// Planted: the addition is not atomic.
extern "C" __global__ void total_with_a_race(const float *values, float *result, unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) *(volatile float *)result += values[i];
}

extern "C" __global__ void copy(const float *from, float *to, unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) to[i] = from[i];
}

// Planted: a pair is read at an odd place.
extern "C" __global__ void copy_pairs_misaligned(const float *from, float *to) {
    float2 pair = *(const float2 *)(from + 1 + 2 * threadIdx.x);
    to[threadIdx.x] = pair.x + pair.y;
}

// Planted: one value of shared memory more than there is.
extern "C" __global__ void beyond_shared(float *to, unsigned offset) {
    __shared__ float part[32];
    part[threadIdx.x + offset] = (float)threadIdx.x;
    __syncthreads();
    to[threadIdx.x] = part[31 - threadIdx.x];
}

// Planted: half of the shared memory is never written.
extern "C" __global__ void unwritten_shared(float *to) {
    __shared__ float part[64];
    part[threadIdx.x] = 1.0f;
    __syncthreads();
    to[threadIdx.x] = part[threadIdx.x] + part[threadIdx.x + 32];
}
