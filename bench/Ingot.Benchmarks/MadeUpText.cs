using System.Text;

namespace Ingot.Benchmarks;

/// <summary>English-looking text, the same each time: words by how often they are used, in sentences.</summary>
internal static class MadeUpText
{
    private static readonly string[] Words = ("the of and to a in is it you that he was for on are with as his they be at one have "
        + "this from or had by hot "
        + "word but what some we can out other were all there when up use your how said an each she which do their time if will way "
            + "about many then them "
        + "write would like so these her long make thing see him two has look more day could go come did number sound no most people "
            + "my over know water "
        + "than call first who may down side been now find kernel gradient tokenizer attention embedding throughput").Split(' ');

    /// <summary>At least so many characters.</summary>
    public static string Make(int characters)
    {
        var random = new Random(1);
        var text = new StringBuilder();
        while (text.Length < characters)
        {
            for (int word = 0, count = random.Next(5, 20); word < count; word++)
            {
                // A few words are most of a text.
                var next = Words[(int)(Words.Length * Math.Pow(random.NextDouble(), 3))];
                text.Append(word == 0 ? char.ToUpperInvariant(next[0]) + next[1..] : next).Append(word + 1 < count ? ' ' : '.');
            }

            text.Append(random.Next(6) == 0 ? "\n\n" : " ");
        }

        return text.ToString();
    }
}
