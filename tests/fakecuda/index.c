/* Where the thread of the grid is that runs just now. */
struct fake_index {
    unsigned x, y, z;
};
_Thread_local struct fake_index fake_block, fake_thread, fake_grid_size, fake_block_size;
