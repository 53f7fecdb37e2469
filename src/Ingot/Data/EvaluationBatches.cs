namespace Ingot.Data;

/// <summary>
/// All of a token file, in order, in batches: consecutive windows, of which the last is filled up. Every token but the first is a target
/// exactly once.
/// </summary>
public sealed class EvaluationBatches
{
    private readonly TokenFile _tokens;
    private readonly int[] _window;
    private readonly int _ignoreIndex;

    /// <summary>Prepares to read.</summary>
    /// <param name="tokens">The data, which the caller keeps open as long as this is used.</param>
    /// <param name="batchSize">Sequences in a batch, at least 1.</param>
    /// <param name="sequenceLength">Tokens in a sequence, at least 1.</param>
    /// <param name="ignoreIndex">The target at places that hold no token; the loss leaves it out.</param>
    /// <exception cref="InvalidDataException">There are not even two tokens.</exception>
    public EvaluationBatches(TokenFile tokens, int batchSize, int sequenceLength, int ignoreIndex = -100)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        BatchShape.Check(batchSize, sequenceLength);
        if (tokens.TokenCount < 2)
        {
            throw new InvalidDataException($"{tokens.Path}: with {tokens.TokenCount} tokens there is nothing to predict. Take more text.");
        }

        _tokens = tokens;
        BatchSize = batchSize;
        SequenceLength = sequenceLength;
        _ignoreIndex = ignoreIndex;
        _window = new int[sequenceLength + 1];
    }

    /// <summary>Sequences in a batch.</summary>
    public int BatchSize { get; }

    /// <summary>Tokens in a sequence.</summary>
    public int SequenceLength { get; }

    /// <summary>How many batches there are.</summary>
    public long Count => DivideUp(TargetCount, (long)BatchSize * SequenceLength);

    /// <summary>How many targets all batches hold.</summary>
    public long TargetCount => _tokens.TokenCount - 1;

    /// <summary>Fills in a batch.</summary>
    /// <param name="batch">Its number, from 0 to <see cref="Count"/> − 1.</param>
    /// <param name="inputs">Takes the tokens, [<see cref="BatchSize"/>, <see cref="SequenceLength"/>]; 0 where there is none.</param>
    /// <param name="targets">Takes the tokens that follow, or the index that is ignored; the same shape.</param>
    /// <returns>How many targets count.</returns>
    /// <exception cref="ArgumentException">A span has another size, or there is no such batch.</exception>
    public int Read(long batch, Span<int> inputs, Span<int> targets)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(batch, Count);
        BatchShape.Check(BatchSize, SequenceLength, inputs, targets);
        inputs.Clear();
        targets.Fill(_ignoreIndex);

        var counted = 0;
        for (var row = 0; row < BatchSize; row++)
        {
            var start = ((batch * BatchSize) + row) * SequenceLength;
            var length = (int)Math.Clamp(TargetCount - start, 0, SequenceLength);
            if (length > 0)
            {
                var window = _window.AsSpan(0, length + 1);
                _tokens.Read(start, window);
                window[..length].CopyTo(inputs[(row * SequenceLength)..]);
                window[1..].CopyTo(targets[(row * SequenceLength)..]);
                counted += length;
            }
        }

        return counted;
    }

    private static long DivideUp(long a, long b) => (a / b) + (a % b == 0 ? 0 : 1);
}
