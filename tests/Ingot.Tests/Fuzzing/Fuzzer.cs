using System.Text;

namespace Ingot.Tests.Fuzzing;

/// <summary>Something that was found: what was thrown for which text.</summary>
internal sealed record FuzzFinding(Exception Error, byte[] Text, long Number)
{
    public override string ToString() => $"text {Number}: {Convert.ToBase64String(Text)}\n{Encoding.Latin1.GetString(Text)}\n{Error}";
}

/// <summary>What a run has done.</summary>
/// <param name="Executions">Texts that were tried.</param>
/// <param name="Accepted">Those among them that were taken.</param>
/// <param name="Finding">The first text that did harm, or null.</param>
internal sealed record FuzzResult(long Executions, long Accepted, FuzzFinding? Finding);

/// <summary>
/// Feeds a parser with texts that are nearly right. A parser may refuse a text by an <see cref="InvalidDataException"/>; whatever else it
/// throws is a finding, and so is more memory than the text can account for. What was taken, however odd, is changed further most of the
/// time, as coverage-guided fuzzers go on from what reached new code: a text has to be taken as far as possible to reach the last checks.
/// </summary>
internal sealed class Fuzzer
{
    private const int MostTaken = 2048, MostRefused = 256;
    private const long BytesForEach = 200_000, BytesForEachByte = 2_000;

    private readonly Action<byte[]> _parse;
    private readonly Func<FuzzRandom, byte[]> _generate;
    private readonly FuzzRandom _random;
    private readonly JsonMutator _mutator;

    /// <param name="parse">Takes a text, or throws.</param>
    /// <param name="generate">Makes a text that must be taken.</param>
    /// <param name="seed">The same seed tries the same texts.</param>
    /// <param name="words">Strings that mean something to the parser.</param>
    public Fuzzer(Action<byte[]> parse, Func<FuzzRandom, byte[]> generate, ulong seed, params string[] words)
    {
        _parse = parse;
        _generate = generate;
        _random = new FuzzRandom(seed);
        _mutator = new JsonMutator(_random, words);
    }

    public FuzzResult Run(long executions)
    {
        List<byte[]> taken = [_generate(_random)], refused = [];
        var accepted = 0L;
        for (var i = 0L; i < executions; i++)
        {
            var fresh = _random.Next(64) == 0;
            var text = fresh ? _generate(_random) : _mutator.Mutate(AnyOf(taken, refused), AnyOf(taken, refused));
            var before = GC.GetAllocatedBytesForCurrentThread();
            var isTaken = true;
            try
            {
                _parse(text);
                accepted++;
            }
            catch (InvalidDataException) when (!fresh)
            {
                isTaken = false;
            }
            catch (Exception e)
            {
                return Found(e, text, i);
            }

            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (allocated > BytesForEach + (BytesForEachByte * text.Length))
                return Found(new InvalidOperationException($"{allocated:N0} bytes were allocated"), text, i);
            if (isTaken)
                Keep(text, taken, MostTaken);
            else
                Keep(text, refused, MostRefused);
        }

        return new FuzzResult(executions, accepted, null);

        FuzzResult Found(Exception error, byte[] text, long number) => new(number + 1, accepted, new FuzzFinding(error, text, number));
    }

    private byte[] AnyOf(List<byte[]> taken, List<byte[]> refused)
    {
        var texts = refused.Count > 0 && _random.Next(8) == 0 ? refused : taken;
        return texts[_random.Next(texts.Count)];
    }

    private void Keep(byte[] text, List<byte[]> texts, int most)
    {
        if (texts.Count < most)
            texts.Add(text);
        else
            texts[_random.Next(most)] = text;
    }
}
