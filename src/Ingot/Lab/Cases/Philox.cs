namespace Ingot.Lab.Cases;

/// <summary>
/// The random numbers of dropout and of draws, written down a second time: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy
/// as 1, 2, 3", SC 2011). The key is the seed; the counter's words are block, step, stream, and the upper 16 bits of block and step.
/// </summary>
internal static class Philox
{
    /// <summary>The stream that draws take their numbers from.</summary>
    public const uint SampleStream = uint.MaxValue;

    /// <summary>Four numbers.</summary>
    public static uint[] Block(ulong seed, ulong step, uint stream, ulong block)
    {
        uint[] counter = [(uint)block, (uint)step, stream, ((uint)(block >> 32) & 0xffff) | ((uint)(step >> 32) << 16)];
        var (key0, key1) = ((uint)seed, (uint)(seed >> 32));
        for (var round = 0; round < 10; round++)
        {
            var (first, second) = (0xD2511F53UL * counter[0], 0xCD9E8D57UL * counter[2]);
            counter = [(uint)(second >> 32) ^ counter[1] ^ key0, (uint)second, (uint)(first >> 32) ^ counter[3] ^ key1, (uint)first];
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }

        return counter;
    }
}
