using System.Globalization;
using System.Text;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Patterns;

/// <summary>A set of code points as sorted bounds: from the first, up to but without the second, from the third … Immutable.</summary>
internal sealed class CodePointSet
{
    private const int End = 0x110000;

    private static readonly Lazy<CodePointSet[]> ByCategory = new(MakeCategories);
    private static readonly Lazy<Dictionary<int, int[]>> Folded = new(MakeFolded);

    private readonly int[] _bounds;

    private CodePointSet(int[] bounds) => _bounds = bounds;

    /// <summary>White_Space.</summary>
    public static CodePointSet Space { get; } = Where(CodePoints.IsWhiteSpace, End);

    /// <summary>What <c>\w</c> means.</summary>
    public static CodePointSet Word => LazyWord.Value;

    /// <summary>Everything.</summary>
    public static CodePointSet All { get; } = Of(0, End - 1);

    private static readonly Lazy<CodePointSet> LazyWord = new(() => Where(CodePoints.IsWord, End));

    public ReadOnlySpan<int> Bounds => _bounds;

    /// <summary>The code points from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public static CodePointSet Of(int first, int last) => new([first, last + 1]);

    /// <summary>A general category ("Lu"), or a group of them ("L"); null if there is no such.</summary>
    public static CodePointSet? Category(string name)
    {
        string[] known =
        [
            "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps",
            "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
        ];
        var sets = known.Index().Where(category => name == category.Item || (name.Length == 1 && category.Item[0] == name[0]))
            .Select(category => ByCategory.Value[category.Index]).ToArray();
        return sets.Length == 0 ? null : sets.Aggregate((a, b) => a.Or(b));
    }

    public bool Contains(int codePoint)
    {
        var place = Array.BinarySearch(_bounds, codePoint);
        return ((place >= 0 ? place + 1 : ~place) & 1) == 1;
    }

    public CodePointSet Or(CodePointSet other) => Merge(other, (a, b) => a || b);

    public CodePointSet And(CodePointSet other) => Merge(other, (a, b) => a && b);

    public CodePointSet Not() =>
        new(_bounds.Length > 0 && _bounds[0] == 0 ? Closed(_bounds[1..]) : Closed([0, .. _bounds]));

    /// <summary>With the code points that differ from these only in case.</summary>
    public CodePointSet IgnoringCase() =>
        Folded.Value.Where(entry => Contains(entry.Key)).SelectMany(entry => entry.Value).Aggregate(this, (set, c) => set.Or(Of(c, c)));

    // An odd number of bounds means "to the end", which is written out.
    private static int[] Closed(int[] bounds) =>
        bounds.Length % 2 == 0 ? bounds : bounds[^1] == End ? bounds[..^1] : [.. bounds, End];

    private CodePointSet Merge(CodePointSet other, Func<bool, bool, bool> isIn)
    {
        var result = new List<int>();
        bool inThis = false, inOther = false, inside = false;
        for (int i = 0, j = 0; i < _bounds.Length || j < other._bounds.Length;)
        {
            var a = i < _bounds.Length ? _bounds[i] : int.MaxValue;
            var b = j < other._bounds.Length ? other._bounds[j] : int.MaxValue;
            if (a <= b)
            {
                (inThis, i) = (!inThis, i + 1);
            }

            if (b <= a)
            {
                (inOther, j) = (!inOther, j + 1);
            }

            if (isIn(inThis, inOther) != inside)
            {
                inside = !inside;
                result.Add(Math.Min(a, b));
            }
        }

        return new CodePointSet([.. result]);
    }

    private static CodePointSet Where(Func<int, bool> isIn, int end)
    {
        var bounds = new List<int>();
        for (var c = 0; c < end; c++)
        {
            if (isIn(c) != (bounds.Count % 2 == 1))
            {
                bounds.Add(c);
            }
        }

        return new CodePointSet(Closed([.. bounds]));
    }

    private static CodePointSet[] MakeCategories()
    {
        var bounds = Enumerable.Range(0, 30).Select(_ => new List<int>()).ToArray();
        var last = -1;
        for (var c = 0; c < End; c++)
        {
            var category = (int)CharUnicodeInfo.GetUnicodeCategory(c);
            if (category != last)
            {
                if (last >= 0)
                {
                    bounds[last].Add(c);
                }

                bounds[category].Add(c);
                last = category;
            }
        }

        bounds[last].Add(End);
        return [.. bounds.Select(list => new CodePointSet([.. list]))];
    }

    // Of every code point that has others of the same letter in another case: those others.
    private static Dictionary<int, int[]> MakeFolded()
    {
        var groups = new Dictionary<int, List<int>>();
        for (var c = 0; c < 0x1F000; c++)
        {
            if (Rune.IsValid(c) && Rune.IsLetter(new Rune(c)))
            {
                // .NET leaves the long s as it is.
                var folded = c == 'ſ' ? 's' : Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(c))).Value;
                if (!groups.TryGetValue(folded, out var group))
                {
                    groups.Add(folded, group = []);
                }

                group.Add(c);
            }
        }

        return groups.Values.Where(group => group.Count > 1)
            .SelectMany(group => group.Select(c => (c, Others: group.Where(other => other != c).ToArray())))
            .ToDictionary(entry => entry.c, entry => entry.Others);
    }
}
