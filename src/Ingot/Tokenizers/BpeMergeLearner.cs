using System.Runtime.InteropServices;
using Ingot.Tokenizers.Models;

namespace Ingot.Tokenizers;

/// <summary>
/// Learns BPE merges from counted words (Sennrich et al. 2016, with the order of Hugging Face's trainer): again and again the
/// commonest pair of neighbours becomes one token; of equally common pairs, the one with the smallest ids.
/// <para>
/// Nothing is counted twice. All words lie in one array, a place a symbol, and each pair keeps its count and its places, so a merge
/// costs time only where it happens, also inside one word of a megabyte. A heap holds the pairs by count; counts that have changed
/// since are put right when they come up.
/// </para>
/// </summary>
internal sealed class BpeMergeLearner
{
    private const int Gap = int.MinValue; // Between two words.
    private const int Inside = -1; // A place inside a token.

    private readonly List<byte[]> _tokens;
    private readonly List<int> _spans; // How many places a token takes.
    private readonly ByteStringMap _idOfToken = new();
    private readonly byte[] _prefix;
    private readonly long _minFrequency;

    // A token's first place holds its id, its last place, if another, minus its length; so both neighbours can be found.
    private readonly int[] _places;
    private readonly int[] _wordOfPlace;
    private readonly IReadOnlyList<long> _wordCounts;

    private readonly Dictionary<ulong, int> _pairNumbers = [];
    private readonly List<Pair> _pairs = [];
    private readonly List<int> _touched = []; // Pairs that gained places in this step.
    private readonly PriorityQueue<int, (long Count, ulong Key)> _queue = new(Comparer<(long Count, ulong Key)>.Create(
        (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : a.Key.CompareTo(b.Key)));

    private struct Pair
    {
        public ulong Key;
        public long Count;
        public int[] Places;
        public int PlaceCount;
        public bool Touched;
        public bool Learnt;
    }

    /// <summary>Prepares to learn.</summary>
    /// <param name="tokens">The tokens to begin with, all different, by id.</param>
    /// <param name="symbolsOf">Appends the tokens that a word begins as, one a byte at most.</param>
    /// <param name="words">The distinct words.</param>
    /// <param name="wordCounts">How often each word comes.</param>
    /// <param name="minFrequency">Rarer pairs are not merged.</param>
    /// <param name="prefix">Stands before tokens that do not begin a word, and goes when they are merged with what is before.</param>
    /// <exception cref="InvalidOperationException">The distinct words take more than 2 GiB.</exception>
    public BpeMergeLearner(
        IEnumerable<byte[]> tokens,
        Symbols symbolsOf,
        ByteStringMap words,
        IReadOnlyList<long> wordCounts,
        long minFrequency,
        byte[]? prefix = null)
    {
        _tokens = [.. tokens];
        _spans = [.. Enumerable.Repeat(1, _tokens.Count)];
        _prefix = prefix ?? [];
        foreach (var token in _tokens)
        {
            _idOfToken.FindOrAdd(token, out _);
        }

        _minFrequency = minFrequency;
        _wordCounts = wordCounts;
        var size = 1L + words.ByteCount + words.Count;
        if (size > Array.MaxLength)
        {
            throw new InvalidOperationException("The distinct words take more than 2 GiB. Use a sample of the text.");
        }

        _places = new int[size];
        _wordOfPlace = new int[size];
        var place = 0;
        var symbols = new List<int>();
        _places[place++] = Gap;
        for (var word = 0; word < words.Count; word++)
        {
            symbols.Clear();
            symbolsOf(words[word], symbols);
            foreach (var symbol in symbols)
            {
                _places[place] = symbol;
                _wordOfPlace[place++] = word;
            }

            _places[place++] = Gap;
        }

        _places.AsSpan(place).Fill(Gap);
    }

    /// <summary>Appends the tokens that a word begins as.</summary>
    public delegate void Symbols(ReadOnlySpan<byte> word, List<int> symbols);

    /// <summary>All tokens so far, by id.</summary>
    public IReadOnlyList<byte[]> Tokens => _tokens;

    /// <summary>The merges so far, in order.</summary>
    public List<BpeMerge> Merges { get; } = [];

    /// <summary>Learns until the vocabulary has the size, or no pair is common enough.</summary>
    /// <param name="vocabularySize">The number of tokens to reach.</param>
    /// <param name="onMerge">Called after every merge.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public void Learn(int vocabularySize, Action onMerge, CancellationToken cancellationToken)
    {
        CountAllPairs();
        while (_tokens.Count < vocabularySize && _queue.TryDequeue(out var number, out var priority))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = _pairs[number].Count;
            if (count == priority.Count)
            {
                Merge(number);
                QueueTouched();
                onMerge();
            }
            else if (count >= _minFrequency)
            {
                _queue.Enqueue(number, (count, priority.Key));
            }
        }
    }

    private void CountAllPairs()
    {
        for (var place = 1; place < _places.Length - 1; place++)
        {
            if (_places[place] != Gap && _places[place + 1] != Gap)
            {
                AddPlace(_places[place], _places[place + 1], place, _wordCounts[_wordOfPlace[place]]);
            }
        }

        QueueTouched();
    }

    private void Merge(int number)
    {
        ref var pair = ref CollectionsMarshal.AsSpan(_pairs)[number];
        var (left, right) = ((int)(pair.Key >> 32), (int)(uint)pair.Key);
        var places = pair.Places.AsSpan(0, pair.PlaceCount);
        pair.Places = [];
        pair.PlaceCount = 0;

        // Two different pairs can make the same bytes; they are then one token, and a pair with it can come up a second time.
        var rest = _tokens[right].AsSpan();
        byte[] bytes = [.. _tokens[left], .. rest[(rest.StartsWith(_prefix) ? _prefix.Length : 0)..]];
        var span = _spans[left] + _spans[right];
        var id = _idOfToken.FindOrAdd(bytes, out var added);
        if (added)
        {
            _tokens.Add(bytes);
            _spans.Add(span);
        }
        else if (_spans[id] != span)
        {
            // It would be spelled like something else: a special token, or a token whose prefix the text itself holds.
            CollectionsMarshal.AsSpan(_pairs)[number].Count = 0;
            return;
        }

        if (!pair.Learnt)
        {
            pair.Learnt = true;
            Merges.Add(new BpeMerge(left, right, id));
        }

        // From left to right, since in "aaa" the first two are the pair. Places were added in order, but for the rare second time.
        if (!IsAscending(places))
        {
            places.Sort();
        }

        foreach (var place in places)
        {
            MergeAt(place, left, right, id, span);
        }

        CollectionsMarshal.AsSpan(_pairs)[number].Count = 0;
    }

    private void MergeAt(int place, int left, int right, int id, int span)
    {
        var second = place + _spans[left];
        if (_places[place] != left || _places[second] != right)
        {
            return; // Another merge took one of the two.
        }

        var count = _wordCounts[_wordOfPlace[place]];
        var next = place + span;
        var follower = _places[next];
        var before = _places[place - 1];
        var previous = before >= 0 ? place - 1 : before == Gap ? -1 : place + before;
        if (previous >= 0)
        {
            Reduce(_places[previous], left, count);
        }

        if (follower != Gap)
        {
            Reduce(right, follower, count);
        }

        _places[second] = Inside;
        _places[place] = id;
        _places[next - 1] = -span;
        if (previous >= 0)
        {
            AddPlace(_places[previous], id, previous, count);
        }

        if (follower != Gap)
        {
            AddPlace(id, follower, place, count);
        }
    }

    private void Reduce(int left, int right, long count) =>
        CollectionsMarshal.AsSpan(_pairs)[_pairNumbers[Key(left, right)]].Count -= count;

    private void AddPlace(int left, int right, int place, long count)
    {
        var key = Key(left, right);
        ref var number = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairNumbers, key, out var known);
        if (!known)
        {
            number = _pairs.Count;
            _pairs.Add(new Pair { Key = key, Places = new int[2] });
        }

        ref var pair = ref CollectionsMarshal.AsSpan(_pairs)[number];
        if (pair.PlaceCount == pair.Places.Length)
        {
            Array.Resize(ref pair.Places, Math.Max(2, 2 * pair.PlaceCount));
        }

        pair.Places[pair.PlaceCount++] = place;
        pair.Count += count;
        if (!pair.Touched)
        {
            pair.Touched = true;
            _touched.Add(number);
        }
    }

    private void QueueTouched()
    {
        var pairs = CollectionsMarshal.AsSpan(_pairs);
        foreach (var number in _touched)
        {
            ref var pair = ref pairs[number];
            pair.Touched = false;
            if (pair.Count >= _minFrequency)
            {
                _queue.Enqueue(number, (pair.Count, pair.Key));
            }
        }

        _touched.Clear();
    }

    private static bool IsAscending(ReadOnlySpan<int> places)
    {
        for (var i = 1; i < places.Length; i++)
        {
            if (places[i - 1] >= places[i])
            {
                return false;
            }
        }

        return true;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
